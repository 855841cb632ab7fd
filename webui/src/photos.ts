/** Photos in the slots of the scenarios: picked, uploading, not uploaded yet, waiting for a choice of face, or ready. */
import { reactive } from "vue";
import { imageUrl, upload } from "./api";
import { fileProblem, ProblemError, slug } from "./problem";
import type { Problem } from "./problem";
import { passing, patiently } from "./retry";
import type { Box, Face } from "./wire";
import type { SlotState } from "./words";

interface Picked {
  file: File;
  /** Address of the picture to show. */
  preview: string;
}

export type Photo =
  /** `tries`: how often it has failed and is tried again. */
  | ({ state: "uploading"; abort: AbortController; tries: number } & Picked)
  | ({ state: "failed"; problem: Problem; face: number | null } & Picked)
  | ({ state: "choosing"; faces: Box[]; width: number; height: number } & Picked)
  | { state: "ready"; file: File | null; preview: string; name: string; imageId: string; width: number; height: number; face: Face | null };

/** By slot id. */
export const photos = reactive<Record<string, Photo>>({});

export const slotState = (slotId: string): SlotState => photos[slotId]?.state ?? "empty";
export const readyId = (slotId: string): string | null => {
  const photo = photos[slotId];
  return photo?.state === "ready" ? photo.imageId : null;
};

/** Shows and uploads a picked file; the slot is empty again when it is refused. Returns what is wrong with it, if anything. */
export async function pick(slotId: string, file: File): Promise<Problem | null> {
  clear(slotId); // what stands in a slot is what was picked last, or nothing
  const refused = fileProblem(file);
  if (refused) return refused;
  return send(slotId, { file, preview: URL.createObjectURL(file) }, null);
}

/** Sends the same file again with the face that the person chose (from 1 at the left). */
export async function chooseFace(slotId: string, face: number): Promise<Problem | null> {
  const photo = photos[slotId];
  return photo?.state === "choosing" ? send(slotId, { file: photo.file, preview: photo.preview }, face) : null;
}

/** Sends a photo once more that the service did not take while it was tried. */
export async function retry(slotId: string): Promise<Problem | null> {
  const photo = photos[slotId];
  return photo?.state === "failed" ? send(slotId, { file: photo.file, preview: photo.preview }, photo.face) : null;
}

async function send(slotId: string, picked: Picked, face: number | null): Promise<Problem | null> {
  const abort = new AbortController();
  const retrying = (tries: number) => put(slotId, { state: "uploading", abort, tries, ...picked });
  retrying(0);
  try {
    const image = await patiently(() => upload(picked.file, face, abort.signal), {
      when: passing, again: retrying, signal: abort.signal,
    });
    if (abort.signal.aborted) return null;
    const { image_id: imageId, width, height, face: found } = image;
    put(slotId, { state: "ready", ...picked, name: picked.file.name, imageId, width, height, face: found });
    return null;
  } catch (error) {
    if (abort.signal.aborted) return null; // replaced or removed meanwhile: the slot is another's now
    if (!(error instanceof ProblemError)) throw error;
    if (!passing(error.problem)) return offerFaces(slotId, picked, error.problem);
    put(slotId, { state: "failed", problem: error.problem, face, ...picked });
    return null; // the slot itself says so, and keeps the file
  }
}

/** Several faces are a question, not a failure. */
function offerFaces(slotId: string, picked: Picked, problem: Problem): Problem | null {
  if (slug(problem) !== "several-faces" || !problem.faces?.length) {
    clear(slotId);
    return problem;
  }
  ask(slotId, picked, problem);
  return null;
}

/** Sizes of 0 stand for the preview's own. */
function ask(slotId: string, picked: Picked, { faces = [], width = 0, height = 0 }: Partial<Problem>): void {
  put(slotId, { state: "choosing", ...picked, faces, width, height });
}

/** A task found several faces on a photo that was uploaded before any backend could look: ask now. True when asked. */
export function askForFace(slotIds: string[], problem: Problem): boolean {
  if (slug(problem) !== "several-faces" || !problem.faces?.length) return false;
  const fits = slotIds.filter((id) => problem.image_id === undefined || readyId(id) === problem.image_id);
  const photo = fits.length === 1 ? photos[fits[0]!] : undefined;
  if (photo?.state !== "ready" || !photo.file) return false;
  const { file, preview, width, height } = photo;
  ask(fits[0]!, { file, preview }, { width, height, ...problem });
  return true;
}

/** Puts an image that the service already has into a slot. */
export function useImage(slotId: string, imageId: string, name: string, width = 0, height = 0): void {
  put(slotId, { state: "ready", file: null, preview: imageUrl(imageId), name, imageId, width, height, face: null });
}

export function clear(slotId: string): void {
  release(photos[slotId], null);
  delete photos[slotId];
}

function put(slotId: string, photo: Photo): void {
  release(photos[slotId], photo.preview);
  photos[slotId] = photo;
}

/** Stops an upload and frees the preview of a photo that is replaced, unless the new one shows the same. */
function release(photo: Photo | undefined, kept: string | null): void {
  if (!photo || photo.preview === kept) return;
  if (photo.state === "uploading") photo.abort.abort();
  if (photo.preview.startsWith("blob:")) URL.revokeObjectURL(photo.preview);
}
