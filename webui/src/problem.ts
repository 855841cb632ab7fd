/** What went wrong and what to do, as RFC 9457 problem documents; the page writes its own in the same form. */
import type { Box } from "./wire";

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  /** Of `several-faces`: all boxes, left to right. */
  faces?: Box[];
  /** Of `several-faces`: pixels of the picture that the boxes are on, which the service may have scaled down. */
  width?: number;
  height?: number;
  /** The image that the problem is about, where the service says so. */
  image_id?: string;
  /** Of `not-logged-in`: where a person logs in. */
  login?: string;
}

const PREFIX = "urn:ligan:problem:";
const MEGABYTE = 1024 * 1024;
export const MAX_FILE_MB = 25;

/** Thrown by `api.ts`; carries the document. */
export class ProblemError extends Error {
  /** `retryAfterS`: the service's wish, in seconds. */
  constructor(readonly problem: Problem, readonly retryAfterS: number | null = null) {
    super(`${problem.title}: ${problem.detail}`);
  }
}

export const slug = (problem: Problem): string => problem.type.replace(PREFIX, "");

const own = (kind: string, status: number, title: string, detail: string): Problem => ({
  type: PREFIX + kind, title, status, detail,
});

export const unreachable = (): Problem =>
  own("unreachable", 0, "The service cannot be reached", "Check your network connection, then try again.");

/** Where to log in first, and come back from to `path`; null for any other problem. */
export function loginAddress(problem: Problem, path: string): string | null {
  if (slug(problem) !== "not-logged-in" || !problem.login?.startsWith("/")) return null;
  return `${problem.login}?next=${encodeURIComponent(path)}`;
}

/** The problem that an answer carries; one of the page's own when the answer is no problem document. */
export function readProblem(status: number, body: unknown): Problem {
  if (isProblem(body)) return body;
  return own("unreachable", status, "The service did not answer as expected",
    `It answered with HTTP status ${status}. Try again in a moment; if this stays, tell the operator.`);
}

function isProblem(body: unknown): body is Problem {
  const candidate = body as Partial<Problem> | null;
  return typeof candidate?.type === "string" && typeof candidate.title === "string" && typeof candidate.detail === "string";
}

/** Seconds that a Retry-After header asks for: a number, or a date (RFC 9110, section 10.2.3); null without one. */
export function retryAfter(header: string | null, nowMs: number): number | null {
  if (!header) return null;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - nowMs) / 1000;
  return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}

/** Why a file is not worth sending, or null. The service stays the judge of what an image is. */
export function fileProblem(file: { name: string; size: number }): Problem | null {
  if (file.size === 0) {
    return own("empty-file", 422, "The file is empty", `“${file.name}” holds no data. Choose another file.`);
  }
  if (file.size > MAX_FILE_MB * MEGABYTE) {
    const size = Math.ceil(file.size / MEGABYTE);
    return own("file-too-large", 413, "The file is too large",
      `“${file.name}” has ${size} MB, and at most ${MAX_FILE_MB} MB are taken. Choose a smaller version of the photo.`);
  }
  return null;
}

/** One sentence for screen readers and short places. */
export const sentence = (problem: Problem): string =>
  [problem.title, problem.detail].filter(Boolean).map((text) => text.replace(/[.\s]*$/, ".")).join(" ");
