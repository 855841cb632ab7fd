/** What the screen of fillers says, in plain words. Pure. */
import type { ResultImage } from "./wire";

export interface Mark {
  /** A few words, for the badge. */
  words: string;
  /** What to do about it. */
  hint: string;
}

const MARKS: Record<string, Mark> = {
  "unclear-face": { words: "Unclear face", hint: "Eyes, nose and mouth were not found. Look closely, or leave it out." },
  "unusual-face": { words: "Unusual face", hint: "It is far from the faces that the model knows. It may stand out." },
  "double-of-suspect": {
    words: "Double of the suspect",
    hint: "A program might take both for one person. A later page has faces that are less alike.",
  },
  "double-of-filler": { words: "Double of another", hint: "Much like an earlier face of this result. Use one of the two." },
  "other-age": { words: "Other age", hint: "It seems more than 15 years older or younger than the person on the photo." },
  "other-gender": { words: "Other gender", hint: "It seems to be of another gender than the person on the photo." },
};

export const SCREEN = "Marked faces may be unfit as fillers: look twice. A program compared the faces; that is a screen, never a measure of fairness.";
export const NOT_SCREENED = "These faces were not screened: no program has compared them with the photo.";

/** Marks of one image; a flag of a later version gets words of its own. */
export const marks = (image: ResultImage): Mark[] =>
  (image.flags ?? []).map((flag) => MARKS[flag] ?? { words: "Look twice", hint: `The screen says: ${flag}.` });

/** What stands below a result; empty when there is nothing to say. */
export function screened(images: ResultImage[]): string {
  if (images.some((image) => image.flags?.length)) return SCREEN;
  return images.length && images.every((image) => image.flags == null) ? NOT_SCREENED : "";
}
