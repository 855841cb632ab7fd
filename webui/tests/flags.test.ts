import { describe, expect, it } from "vitest";
import { marks, NOT_SCREENED, SCREEN, screened } from "../src/flags";
import type { ResultImage } from "../src/wire";

const image = (flags?: string[] | null): ResultImage => ({ image_id: "i-1", width: 32, height: 32, flags });

describe("marks of a face", () => {
  it("say in words what the screen found, and what to do", () => {
    const [double, age] = marks(image(["double-of-suspect", "other-age"]));
    expect(double).toEqual({ words: "Double of the suspect", hint: expect.stringContaining("later page") });
    expect(age?.words).toBe("Other age");
  });

  it("are none where nothing was found, nobody looked, or the result is an old one", () => {
    expect([image([]), image(null), image()].flatMap(marks)).toEqual([]);
  });

  it("stand for flags of a later version too", () => {
    expect(marks(image(["squint"]))).toEqual([{ words: "Look twice", hint: "The screen says: squint." }]);
  });
});

describe("what stands below a result", () => {
  it("says that a screen is no measure of fairness, where something is marked", () => {
    expect(screened([image([]), image(["other-age"])])).toBe(SCREEN);
    expect(SCREEN).toContain("never a measure of fairness");
  });

  it("says so where nobody looked", () => {
    expect(screened([image(null), image()])).toBe(NOT_SCREENED);
  });

  it("is nothing where all is well, and where there are no images", () => {
    expect([screened([image([])]), screened([])]).toEqual(["", ""]);
  });
});
