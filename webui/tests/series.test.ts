import { expect, it } from "vitest";
import { pageOf, seriesKey, seriesOf } from "../src/series";
import type { PageTask } from "../src/state";

const task = (task_id: string, params: Record<string, unknown>, kind = "similar"): PageTask => ({
  task_id, kind, params, state: "done", attempt: 1, progress: 100, eta_s: null, result: { images: [] }, error: null,
});

it("puts the pages of a request together, whatever the order of their parameters", () => {
  const tasks = [task("t-1", { page: 1, seed: 7, image: "i-1" }), task("t-2", { image: "i-1", seed: 7, page: 2 }), task("t-3", { page: 1, seed: 8, image: "i-1" })];
  const found = seriesOf(tasks);
  expect(found.map(({ pages }) => [...pages].map(([page, one]) => [page, one.task_id]))).toEqual([[[1, "t-1"], [2, "t-2"]], [[1, "t-3"]]]);
  expect(found[0]!.params).toEqual({ image: "i-1", seed: 7 });
  expect(seriesKey(tasks[0]!)).toBe(seriesKey(tasks[1]!));
});

it("never mixes kinds", () => {
  expect(seriesOf([task("t-1", { seed: 1 }), task("t-2", { seed: 1 }, "random")])).toHaveLength(2);
});

it("shows a page's newest task", () => {
  const [series] = seriesOf([task("t-1", { page: 1 }), task("t-2", { page: 1 })]);
  expect(series!.pages.get(1)?.task_id).toBe("t-2");
});

it("takes a task without a page for page 1", () => {
  expect(pageOf(task("t-1", {}))).toBe(1);
});
