/** The page's state and what can be done with it. Effects live here; what follows from facts is in `state.ts`. */
import { computed, reactive } from "vue";
import * as api from "./api";
import { listen } from "./events";
import { learnNotices } from "./notices";
import * as photos from "./photos";
import type { Problem } from "./problem";
import { ProblemError, sentence, slug } from "./problem";
import { passing, patiently, unsent } from "./retry";
import { fault, fieldsOf, imagesOf, offered, pagingOf, paramsOf, slotsOf } from "./schema";
import type { Slot } from "./schema";
import { PAGE, pageOf, seriesKey, seriesOf } from "./series";
import { after, busy, EMPTY } from "./state";
import type { Fact, PageTask } from "./state";
import type { Backend, NewTask, Params, ResultImage, TaskKind } from "./wire";
import { idle, obstacle, waiting } from "./words";

const RETRY_MS = 3000;
const LOST_AFTER_MS = 1500; // a stream that is back sooner was only renewed
const NOTICE_MS = 4000;
const CLOCK_MS = 10_000; // times are told to the minute
const QUIET_TRIES = 3; // a web server that hands over is away for seconds: no alarm before that many tries

export const store = reactive({
  known: EMPTY,
  kinds: [] as TaskKind[],
  /** The open tab. */
  kind: "",
  /** Option values by kind and name. */
  values: {} as Record<string, Params>,
  /** The task whose results are shown. */
  shown: null as string | null,
  /** A task on its way to the service. */
  posting: null as NewTask | null,
  /** The wish for a backend is on its way to the service. */
  starting: false,
  online: true,
  /** Unix seconds, as fresh as the page needs it. */
  now: Date.now() / 1000,
  problems: [] as Problem[],
  notice: "",
});

export const kindOf = (name: string): TaskKind | undefined => store.kinds.find((kind) => kind.kind === name);
/** The backend as the page shows it: asked for from the moment the wish is sent. */
export const backend = computed<Backend | null>(() => {
  const known = store.known.backend;
  return known && store.starting ? { ...known, state: "REQUESTED", reason: "" } : known;
});
export const series = computed(() => seriesOf(store.known.tasks.filter((task) => kindOf(task.kind))));
export const shownTask = computed(() => store.known.tasks.find((task) => task.task_id === store.shown) ?? null);
export const shownSeries = computed(() => {
  const task = store.posting ?? shownTask.value;
  return task ? (series.value.find(({ key }) => key === seriesKey(task)) ?? null) : null;
});
export const activeTask = computed<PageTask | null>(() => store.known.tasks.find(busy) ?? null);
const occupied = computed(() => store.posting !== null || activeTask.value !== null);

const situation = (kind: TaskKind | undefined) => ({
  online: store.online,
  backend: backend.value,
  now: store.now,
  busy: occupied.value,
  cpu: kind?.cpu ?? true,
});

/** Why Generate cannot be pressed for a kind; null when it can. */
export function obstacleFor(kind: TaskKind): string | null {
  const values = store.values[kind.kind] ?? {};
  const slots = slotsOf(kind).map((slot) => ({ ...slot, state: photos.slotState(slot.id) }));
  return obstacle({
    ...situation(kind),
    slots: slots.filter((slot) => slot.required || slot.state !== "empty"),
    faults: fieldsOf(kind).flatMap((field) => fault(field, values[field.name]) ?? []),
  });
}

/** Why nothing more of the shown request can be asked for now. */
export const requestObstacle = computed(() => waiting(situation(kindOf(shownTask.value?.kind ?? store.kind))));

// ---- what goes wrong ------------------------------------------------------------------------------------------------

export function report(problem: Problem | null): void {
  if (!problem) return;
  store.problems = [...store.problems.filter((other) => sentence(other) !== sentence(problem)), problem].slice(-3);
}

export const dismiss = (problem: Problem): void => {
  store.problems = store.problems.filter((other) => other !== problem);
};

/** Runs an action; its problem becomes an alert. False when it failed. */
async function attempt(action: () => Promise<void>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    report(error.problem);
    return false;
  }
}

let noticeTimer: ReturnType<typeof setTimeout> | undefined;
function tell(notice: string): void {
  store.notice = notice;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => (store.notice = ""), NOTICE_MS);
}

// ---- what the service says ------------------------------------------------------------------------------------------

function learn(fact: Fact): void {
  store.known = after(store.known, fact);
}

function hear(fact: Fact): void {
  const generation = store.known.backend?.generation;
  learn(fact);
  const moved = generation !== undefined && generation !== store.known.backend?.generation;
  if (moved) void sync(); // tasks may be another backend's now
  if (!("task_id" in fact.data)) return;
  const id = fact.data.task_id;
  const task = store.known.tasks.find((one) => one.task_id === id);
  if (!task) void attempt(readTasks);
  else if (fact.name === "on-error") hearError(task, fact.data.problem);
}

function hearError(task: PageTask, problem: Problem): void {
  const kind = kindOf(task.kind);
  if (slug(problem) === "cancelled") return;
  if (!kind || !photos.askForFace(slotsOf(kind).map(({ id }) => id), problem)) report(problem);
}

async function readTasks(): Promise<void> {
  const known = store.known.tasks.map((task) => task.task_id);
  learn({ name: "tasks", data: { tasks: await api.readTasks(), known } });
}

async function readAll(): Promise<void> {
  learn({ name: "session", data: await api.readSession() });
  const kinds = store.kinds.length ? [] : offered(await api.readKinds());
  await readTasks();
  if (kinds.length) openKinds(kinds);
  learnNotices(await api.readNotices());
}

/** After a load: the newest task is shown again, and each scenario gets the photos and options of its newest task. */
function openKinds(kinds: TaskKind[]): void {
  const newest = new Map(store.known.tasks.map((task) => [task.kind, task]));
  for (const kind of kinds) {
    store.values[kind.kind] = Object.fromEntries(fieldsOf(kind).map(({ name, initial }) => [name, initial]));
    refill(kind, newest.get(kind.kind));
  }
  const last = store.known.tasks.findLast((task) => kinds.some(({ kind }) => kind === task.kind));
  store.shown = last?.task_id ?? null;
  store.kind = last?.kind ?? kinds[0]!.kind;
  store.kinds = kinds;
}

function refill(kind: TaskKind, task: PageTask | undefined): void {
  if (!task) return;
  for (const [slotId, imageId] of Object.entries(imagesOf(kind, task.params))) {
    if (photos.slotState(slotId) === "empty") photos.useImage(slotId, imageId, "Photo of the last request");
  }
  const again = fieldsOf(kind).filter(({ name, type }) => type !== "seed" && name in task.params);
  Object.assign(store.values[kind.kind]!, Object.fromEntries(again.map(({ name }) => [name, task.params[name]])));
}

let syncTimer: ReturnType<typeof setTimeout> | undefined;
/** Reads everything, again and again until it works. */
async function sync(tries = 1): Promise<void> {
  clearTimeout(syncTimer);
  try {
    await readAll();
    store.online = true;
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    if (error.problem.status === 0) store.online = false;
    else if (!passing(error.problem) || tries > QUIET_TRIES) report(error.problem);
    clearTimeout(syncTimer);
    syncTimer = setTimeout(() => void sync(tries + 1), RETRY_MS);
  }
}

/** Stops listening: what the service had is erased. */
export let close = (): void => undefined;

/** Starts listening; to be called once. */
export function open(): void {
  let lostTimer: ReturnType<typeof setTimeout> | undefined;
  const back = () => {
    clearTimeout(lostTimer);
    lostTimer = undefined;
    void sync();
  };
  const stop = listen(api.EVENTS_URL, {
    opened: back,
    lost: () => (lostTimer ??= setTimeout(() => (store.online = false), LOST_AFTER_MS)),
    fact: hear,
    notices: learnNotices,
    resync: () => void sync(),
  });
  close = () => {
    stop();
    clearTimeout(lostTimer);
    clearTimeout(syncTimer);
  };
  void sync();
  setInterval(() => (store.now = Date.now() / 1000), CLOCK_MS);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && void sync());
}

// ---- what the person does -------------------------------------------------------------------------------------------

/** The person began to use a scenario: the service may now start a backend. */
export async function interact(): Promise<void> {
  if (!idle(backend.value)) return;
  store.problems = []; // also why there was none before
  store.starting = true;
  await attempt(async () => learn({ name: "session", data: await api.startInteraction() }));
  store.starting = false;
}

export async function addPhoto(slot: Slot, file: File): Promise<void> {
  store.problems = [];
  void interact();
  report(await photos.pick(slot.id, file));
}

export async function retryPhoto(slot: Slot): Promise<void> {
  report(await photos.retry(slot.id));
}

export async function chooseFace(slot: Slot, face: number): Promise<void> {
  store.problems = [];
  report(await photos.chooseFace(slot.id, face));
}

export async function generate(kind: TaskKind): Promise<void> {
  if (obstacleFor(kind) !== null) return; // the very click may have sent the wish for a backend
  if (idle(backend.value)) return interact();
  const images = slotsOf(kind).flatMap(({ id }) => (photos.readyId(id) ? [[id, photos.readyId(id)!]] : []));
  await create({ kind: kind.kind, params: paramsOf(kind, store.values[kind.kind] ?? {}, Object.fromEntries(images)) });
}

async function create(task: NewTask): Promise<void> {
  store.problems = [];
  store.posting = task;
  await attempt(async () => {
    const task_id = await patiently(() => api.createTask(task), { when: unsent });
    learn({ name: "created", data: { ...task, task_id } });
    store.shown = task_id;
  });
  store.posting = null;
}

export async function cancel(task: PageTask): Promise<void> {
  const { task_id } = task;
  learn({ name: "cancelling", data: { task_id, cancelling: true } });
  if (await attempt(async () => void (await api.cancelTask(task_id)))) return;
  learn({ name: "cancelling", data: { task_id, cancelling: false } });
  await attempt(readTasks);
}

/** Ends a task early and keeps what it came to. */
export async function stopAndKeep({ task_id }: PageTask): Promise<void> {
  learn({ name: "stopping", data: { task_id, stopping: true } });
  if (await attempt(async () => void (await api.stopTask(task_id)))) return;
  learn({ name: "stopping", data: { task_id, stopping: false } });
  await attempt(readTasks);
}

/** Asks once more for exactly what failed or was cancelled. */
export async function again({ kind, params }: NewTask): Promise<void> {
  if (idle(backend.value)) await interact();
  else await create({ kind, params });
}

/** Shows a page of the shown request; asks for it when it is not there. */
export async function goToPage(page: number): Promise<void> {
  const current = shownSeries.value;
  if (!current) return;
  const task = current.pages.get(page);
  if (task && !["failed", "cancelled"].includes(task.state)) store.shown = task.task_id;
  else await again({ kind: current.kind, params: { ...current.params, [PAGE]: page } });
}

/** A generated face becomes the photo of a slot, and its scenario opens. */
export function useResult(kind: TaskKind, slot: Slot, image: ResultImage, name: string): void {
  void interact();
  photos.useImage(slot.id, image.image_id, name, image.width, image.height);
  store.kind = kind.kind;
  tell(`${kind.title}: ${slot.label} is now ${name}.`);
}

export const shownPage = computed(() => pageOf(store.posting ?? shownTask.value ?? { kind: "", params: {} }));
export const shownPaging = computed(() => {
  const kind = kindOf(shownSeries.value?.kind ?? store.posting?.kind ?? "");
  return kind ? pagingOf(kind) : null;
});
