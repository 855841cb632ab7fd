/** Pages of one request: tasks of a kind whose parameters differ in `page` alone. Pure. */
import type { NewTask, Params } from "./wire";
import type { PageTask } from "./state";

export const PAGE = "page";

export interface Series {
  key: string;
  kind: string;
  /** Without `page`. */
  params: Params;
  /** Page number to its newest task. */
  pages: Map<number, PageTask>;
}

export const pageOf = (task: NewTask): number => Number(task.params[PAGE] ?? 1);

function withoutPage(params: Params): Params {
  return Object.fromEntries(Object.entries(params).filter(([name]) => name !== PAGE).sort());
}

export const seriesKey = (task: NewTask): string => JSON.stringify([task.kind, withoutPage(task.params)]);

/** All series, in the order in which each was first asked for. */
export function seriesOf(tasks: PageTask[]): Series[] {
  const found = new Map<string, Series>();
  for (const task of tasks) {
    const key = seriesKey(task);
    const series = found.get(key) ?? { key, kind: task.kind, params: withoutPage(task.params), pages: new Map() };
    series.pages.set(pageOf(task), task);
    found.set(key, series);
  }
  return [...found.values()];
}
