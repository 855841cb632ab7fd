import { describe, expect, it } from "vitest";
import { drawSeed, fault, fieldsOf, imagesOf, offered, pagingOf, paramsOf, rangeText, slotsOf } from "../src/schema";
import type { Field } from "../src/schema";
import type { JsonSchema, TaskKind } from "../src/wire";

const IMAGE: JsonSchema = { type: "string", format: "image-id" };
const kind = (properties: Record<string, JsonSchema>, more: Partial<JsonSchema> = {}, name = "similar"): TaskKind => ({
  kind: name, title: "Basic", description: "", time_request_s: 1, params: { type: "object", properties, ...more },
});
const similar = kind(
  {
    image: { ...IMAGE, title: "Photo" },
    page: { type: "integer", minimum: 1, maximum: 9, default: 1 },
    count: { type: "integer", minimum: 1, maximum: 64, default: 16 },
    seed: { type: "integer", minimum: 0, default: 0 },
    mood: { $ref: "#/$defs/Mood", default: "calm" },
    note: { anyOf: [{ type: "string", maxLength: 9 }, { type: "null" }], default: null },
  },
  { required: ["image"], $defs: { Mood: { type: "string", enum: ["calm", "glad"] } } },
);
const field = (name: string, of = similar): Field => fieldsOf(of).find((one) => one.name === name)!;

describe("slots", () => {
  it("are the parameters with the format image-id", () => {
    expect(slotsOf(similar)).toEqual([{ id: "similar.image.0", param: "image", label: "Photo", help: "", required: true, many: false }]);
  });

  it("may be optional", () => {
    const [slot] = slotsOf(kind({ photo_of_hair: { anyOf: [IMAGE, { type: "null" }], default: null } }));
    expect(slot).toMatchObject({ required: false, label: "Photo of hair" });
  });

  it("are numbered for a list of images, those beyond the least being optional", () => {
    const list = kind({ images: { type: "array", items: IMAGE, minItems: 2, maxItems: 3, title: "Photo" } }, { required: ["images"] });
    expect(slotsOf(list).map(({ label, required }) => [label, required])).toEqual([["Photo 1", true], ["Photo 2", true], ["Photo 3", false]]);
    const images = { "similar.images.0": "i-1", "similar.images.1": "i-2" };
    expect(paramsOf(list, {}, images)).toEqual({ images: ["i-1", "i-2"] });
    expect(imagesOf(list, { images: ["i-1", "i-2"] })).toEqual(images);
  });
});

describe("fields", () => {
  it("are the parameters but images and the page, with their ranges and defaults", () => {
    expect(fieldsOf(similar).map(({ name, type, initial }) => [name, type, initial])).toEqual([
      ["count", "integer", 16], ["seed", "seed", null], ["mood", "choice", "calm"], ["note", "text", null],
    ]);
    expect(field("count")).toMatchObject({ minimum: 1, maximum: 64, step: 1, label: "Count" });
    expect(field("mood").choices).toEqual(["calm", "glad"]);
  });

  it("turn an exclusive bound of whole numbers into an inclusive one", () => {
    const one = field("n", kind({ n: { type: "integer", exclusiveMinimum: 0, exclusiveMaximum: 10 } }));
    expect([one.minimum, one.maximum]).toEqual([1, 9]);
  });
});

describe("fault", () => {
  it.each([["1", null], [64, null], ["", null], [65, "from 1 to 64"], ["2.5", "whole number"], ["x", "whole number"], ["-3", "from 1 to 64"]])("judges count %j", (value, why) => {
    const found = fault(field("count"), value);
    if (why === null) expect(found).toBeNull();
    else expect(found).toContain(why);
  });

  it("misses a required option, but never a seed", () => {
    const strict = kind({ time: { type: "integer", minimum: 60 }, seed: { type: "integer" } }, { required: ["time", "seed"] });
    expect(fault(field("time", strict), "")).toBe("Time is needed.");
    expect(fault(field("seed", strict), null)).toBeNull();
    expect(rangeText(field("time", strict))).toBe("a whole number of at least 60");
  });
});

describe("paramsOf", () => {
  it("sends images, typed options and the first page, and leaves out what is empty", () => {
    const params = paramsOf(similar, { count: "8", seed: "5", mood: "glad", note: "" }, { "similar.image.0": "i-1" });
    expect(params).toEqual({ image: "i-1", count: 8, seed: 5, mood: "glad", page: 1 });
  });

  it("draws a seed when none is given, within the field's range", () => {
    expect(paramsOf(similar, {}, {}).seed).toSatisfy((seed: unknown) => Number.isInteger(seed) && (seed as number) >= 0);
    const narrow = { ...field("seed"), minimum: 3, maximum: 5 };
    expect([0, 0.5, 0.999].map((at) => drawSeed(narrow, () => at))).toEqual([3, 4, 5]);
    expect(drawSeed({ ...narrow, minimum: 5_000_000, maximum: 6_000_000 }, () => 0)).toBe(5_000_000);
  });
});

it("reads the range of pages, and null where there are none", () => {
  expect(pagingOf(similar)).toEqual({ first: 1, last: 9 });
  expect(pagingOf(kind({ image: IMAGE }))).toBeNull();
});

it("offers kinds that are not hidden and whose required parameters it can ask for", () => {
  const odd = kind({ mask: { type: "object" } }, { required: ["mask"] }, "odd");
  const fine = kind({ mask: { type: "object" } }, {}, "fine");
  expect(offered([{ ...similar, hidden: true }, odd, fine, similar]).map((one) => one.kind)).toEqual(["fine", "similar"]);
});
