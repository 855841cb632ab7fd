/** The service's public API. Every function throws ProblemError; an aborted call throws the browser's AbortError. */
import { ProblemError, loginAddress, readProblem, retryAfter, unreachable } from "./problem";
import type { Account, NewTask, Notices, Session, Task, TaskKind, Upload } from "./wire";

const BASE = "/api/v1";
export const EVENTS_URL = `${BASE}/events`;
export const imageUrl = (imageId: string): string => `${BASE}/images/${encodeURIComponent(imageId)}`;

async function call<T>(method: string, path: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(BASE + path, { method, credentials: "same-origin", ...init }).catch((error: unknown) => {
    if (error instanceof TypeError) throw new ProblemError(unreachable()); // fetch's word for a network failure
    throw error;
  });
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const problem = readProblem(response.status, body);
    const login = loginAddress(problem, "/");
    if (login) location.assign(login); // the login has ended; all that was done is kept
    throw new ProblemError(problem, retryAfter(response.headers.get("Retry-After"), Date.now()));
  }
  return body as T;
}

const json = (body: unknown): RequestInit => ({
  body: JSON.stringify(body),
  headers: { "Content-Type": "application/json" },
});

export const readSession = () => call<Session>("GET", "/session");
export const readNotices = () => call<Notices>("GET", "/notices");
export const readAccount = () => call<Account>("GET", "/account");
export const logOut = () => call<{ location?: string }>("POST", "/account/logout", json({}));
export const eraseSession = () => call<unknown>("DELETE", "/session");
export const startInteraction = () => call<Session>("POST", "/start-of-interaction", json({}));
export const readKinds = async () => (await call<{ kinds: TaskKind[] }>("GET", "/tasks/kinds")).kinds;
export const readTasks = async () => (await call<{ tasks: Task[] }>("GET", "/tasks")).tasks;
export const createTask = async (task: NewTask) => (await call<{ task_id: string }>("POST", "/tasks", json(task))).task_id;
export const cancelTask = (taskId: string) => call<unknown>("DELETE", `/tasks/${encodeURIComponent(taskId)}`);
/** Ends it early; what it came to is kept. */
export const stopTask = (taskId: string) => call<Task>("POST", `/tasks/${encodeURIComponent(taskId)}/stop`, json({}));

/** `face` counts from 1 at the left; only needed when the service found several. */
export function upload(file: File, face: number | null, signal: AbortSignal): Promise<Upload> {
  const form = new FormData();
  form.append("file", file);
  if (face !== null) form.append("face", String(face));
  return call<Upload>("POST", "/uploads", { body: form, signal });
}
