import { describe, expect, it } from "vitest";
import { fileProblem, MAX_FILE_MB, readProblem, sentence, slug, unreachable } from "../src/problem";

const MB = 1024 * 1024;
const noFace = { type: "urn:ligan:problem:no-face", title: "No face was found", status: 422, detail: "Use another photo." };

describe("readProblem", () => {
  it("keeps a problem document with its extensions", () => {
    const faces = [{ left: 0, top: 0, right: 9, bottom: 9, score: 1 }];
    expect(readProblem(422, { ...noFace, faces })).toEqual({ ...noFace, faces });
  });

  it.each([null, "<html>", 7, {}, { title: "x", detail: "y" }])("says what to do when the answer is %j", (body) => {
    const problem = readProblem(502, body);
    expect(problem.status).toBe(502);
    expect(problem.detail).toMatch(/HTTP status 502.*try again/i);
  });
});

it("takes the slug from the type", () => {
  expect(slug(noFace)).toBe("no-face");
  expect(slug({ ...noFace, type: "about:blank" })).toBe("about:blank");
});

it("makes one sentence after the other, each with one full stop", () => {
  expect(sentence(noFace)).toBe("No face was found. Use another photo.");
  expect(sentence({ ...noFace, detail: "" })).toBe("No face was found.");
  expect(sentence(unreachable())).toMatch(/^The service cannot be reached\. .+\.$/);
});

describe("fileProblem", () => {
  it("refuses empty files and files over the limit, with the file's name", () => {
    expect(fileProblem({ name: "a.jpg", size: 0 })).toMatchObject({ type: "urn:ligan:problem:empty-file", status: 422 });
    const large = fileProblem({ name: "b.jpg", size: MAX_FILE_MB * MB + 1 });
    expect(large).toMatchObject({ type: "urn:ligan:problem:file-too-large", status: 413 });
    expect(large?.detail).toContain("“b.jpg” has 26 MB");
  });

  it("takes a file of exactly the limit", () => {
    expect(fileProblem({ name: "c.heic", size: MAX_FILE_MB * MB })).toBeNull();
  });
});
