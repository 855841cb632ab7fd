/** Messages of the public API, as `ligan/wire` defines them. Times are Unix seconds, boxes pixels. */
import type { Problem } from "./problem";

export type BackendState =
  | "NONE" | "REQUESTED" | "SUBMITTING" | "PENDING" | "STARTING" | "READY" | "DRAINING" | "ENDED";

export interface Backend {
  state: BackendState;
  ready: boolean;
  generation: number;
  reason: string;
  /** In the queue for a backend; 1 is the next. */
  place: number | null;
  expected_start: number | null;
  /** Tasks that a CPU can do run on a shared one meanwhile. */
  cpu_ready: boolean;
  /** Its successor is being brought up. */
  moving: boolean;
  ends_at: number | null;
}

export interface Session {
  session_id: string;
  backend: Backend;
}

export interface Announcement {
  announcement_id: string;
  text: string;
  level: "info" | "warning";
  until: number | null;
  since: number;
}

export interface Maintenance {
  at: number;
  until: number | null;
  /** Backends end once their sessions' tasks are done. */
  drain: boolean;
  message: string;
}

export interface Notices {
  announcement: Announcement | null;
  maintenance: Maintenance | null;
}

export interface Limit {
  used: number;
  /** 0: none. */
  limit: number;
}

export interface Account {
  mode: "none" | "local" | "oidc" | "header";
  /** Empty where there are no accounts. */
  name: string;
  role: "user" | "developer" | "operator";
  /** What the page should say about who can come in. */
  notice: string;
  limits: { sessions: Limit; open_tasks: Limit; gpu_minutes_day: Limit; gpu_minutes_month: Limit } | null;
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
  score: number;
}

export interface Face {
  state: "found" | "pending";
  box: Box | null;
  count: number | null;
}

export interface Upload {
  image_id: string;
  width: number;
  height: number;
  face: Face;
}

export interface TaskKind {
  kind: string;
  title: string;
  description: string;
  params: JsonSchema;
  time_request_s: number;
  cpu?: boolean;
  hidden?: boolean;
  /** It can be ended early and keeps what it came to. */
  stoppable?: boolean;
}

export type TaskState = "queued" | "running" | "done" | "failed" | "cancelled";
export type Params = Record<string, unknown>;

export interface NewTask {
  kind: string;
  params: Params;
}

export interface ResultImage {
  image_id: string;
  width: number;
  height: number;
  caption?: string;
  /** What a screen found; null or absent: nobody looked. */
  flags?: string[] | null;
}

export interface Task extends NewTask {
  task_id: string;
  state: TaskState;
  /** Grows whenever another backend takes the task over. */
  attempt: number;
  progress: number;
  eta_s: number | null;
  /** What it came to so far: the start on the left, now on the right. */
  preview?: ResultImage | null;
  /** It was asked to end early. */
  stopping?: boolean;
  result: { images: ResultImage[] } | null;
  error: Problem | null;
}

/** The part of JSON Schema (2020-12) that parameters of tasks use. */
export interface JsonSchema {
  type?: string;
  format?: string;
  title?: string;
  description?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  enum?: unknown[];
  const?: unknown;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  allOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
}
