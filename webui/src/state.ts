/** What the page knows of its backend and tasks: a pure fold over what the service reports. */
import type { Problem } from "./problem";
import { slug } from "./problem";
import type { Backend, NewTask, ResultImage, Session, Task } from "./wire";

/** `cancelling`: asked for, not yet confirmed; such a task holds nothing up. */
export type PageTask = Task & { cancelling?: boolean };

export interface State {
  backend: Backend | null;
  tasks: PageTask[];
}

export type Fact =
  | { name: "session"; data: Session }
  /** `known`: the ids the page had when it asked, so that a task created meanwhile is not dropped. */
  | { name: "tasks"; data: { tasks: Task[]; known: string[] } }
  | { name: "created"; data: NewTask & { task_id: string } }
  | { name: "cancelling"; data: { task_id: string; cancelling: boolean } }
  | { name: "stopping"; data: { task_id: string; stopping: boolean } }
  | { name: "on-ready" | "on-queue"; data: Backend }
  | { name: "on-progress"; data: { task_id: string; percent: number; eta_s?: number | null; preview?: ResultImage | null } }
  | { name: "on-result"; data: { task_id: string; images: ResultImage[] } }
  | { name: "on-error"; data: { task_id: string; problem: Problem } };

export const EMPTY: State = { backend: null, tasks: [] };

export const terminal = (task: Task): boolean => ["done", "failed", "cancelled"].includes(task.state);
export const busy = (task: PageTask): boolean => !terminal(task) && !task.cancelling;

/** The state after a fact. Facts about unknown tasks change nothing: the caller reads the tasks again. */
export function after(state: State, fact: Fact): State {
  switch (fact.name) {
    case "session":
      return { ...state, backend: fact.data.backend };
    case "on-ready":
    case "on-queue":
      return { ...state, backend: fact.data };
    case "tasks":
      return { ...state, tasks: merged(state.tasks, fact.data.tasks, fact.data.known) };
    case "created":
      return { ...state, tasks: withNew(state.tasks, fact.data) };
    default:
      return { ...state, tasks: state.tasks.map((task) => (task.task_id === fact.data.task_id ? told(task, fact) : task)) };
  }
}

type TaskFact = Extract<Fact, { name: "cancelling" | "stopping" | "on-progress" | "on-result" | "on-error" }>;

function told(task: PageTask, fact: TaskFact): PageTask {
  if (terminal(task)) return task; // events may be replayed; a task ends once
  switch (fact.name) {
    case "cancelling":
      return { ...task, cancelling: fact.data.cancelling };
    case "stopping":
      return { ...task, stopping: fact.data.stopping };
    case "on-progress":
      return {
        ...task, state: "running", progress: fact.data.percent, eta_s: fact.data.eta_s ?? null, preview: fact.data.preview ?? task.preview,
      };
    case "on-result":
      return { ...task, state: "done", progress: 100, eta_s: null, result: { images: fact.data.images } };
    case "on-error":
      return { ...task, state: slug(fact.data.problem) === "cancelled" ? "cancelled" : "failed", error: fact.data.problem };
  }
}

/** The service's list is the truth, but an answer on its way must not undo an end that an event told meanwhile. */
function merged(mine: PageTask[], theirs: Task[], known: string[]): PageTask[] {
  const byId = new Map(mine.map((task) => [task.task_id, task]));
  const listed = new Set(theirs.map((task) => task.task_id));
  const kept = theirs.map((task) => {
    const local = byId.get(task.task_id);
    if (!local || terminal(task)) return task;
    return terminal(local) ? local : { ...task, cancelling: local.cancelling };
  });
  return [...kept, ...mine.filter((task) => !listed.has(task.task_id) && !known.includes(task.task_id))];
}

function withNew(tasks: PageTask[], { task_id, kind, params }: NewTask & { task_id: string }): PageTask[] {
  if (tasks.some((task) => task.task_id === task_id)) return tasks;
  return [...tasks, { task_id, kind, params, state: "queued", attempt: 1, progress: 0, eta_s: null, result: null, error: null }];
}
