import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { chooseFace, clear, photos, pick, readyId, retry, slotState } from "../src/photos";

const SLOT = "similar.image.0";
const file = new File(["a photo"], "me.jpg");
const image = { image_id: "i-1", width: 10, height: 20, face: { state: "pending", box: null, count: null } };
const several = { type: "urn:ligan:problem:several-faces", title: "Several", status: 422, detail: "Choose.", faces: [{}, {}] };
const answer = (status: number, body: unknown, headers = {}) => new Response(JSON.stringify(body), { status, headers });
const fetched = vi.fn();
const sent = (call: number): FormData => fetched.mock.calls[call]![1].body;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", fetched.mockReset());
});
afterEach(() => {
  clear(SLOT);
  vi.useRealTimers();
});

it("sends the same file again while the web server is away, and says so", async () => {
  fetched.mockResolvedValueOnce(answer(503, null, { "Retry-After": "2" })).mockRejectedValueOnce(new TypeError("network"));
  fetched.mockResolvedValueOnce(answer(201, image));
  const done = pick(SLOT, file);
  await vi.advanceTimersByTimeAsync(1999);
  expect(photos[SLOT]).toMatchObject({ state: "uploading", tries: 1 });
  await vi.advanceTimersByTimeAsync(2000);
  expect(await done).toBeNull();
  expect([slotState(SLOT), readyId(SLOT)]).toEqual(["ready", "i-1"]);
  const names = fetched.mock.calls.map((_, call) => (sent(call).get("file") as File).name);
  expect(names).toEqual(["me.jpg", "me.jpg", "me.jpg"]);
});

it("keeps the file when the minute is over, for a retry that sends what was asked for", async () => {
  fetched.mockResolvedValueOnce(answer(422, several));
  await pick(SLOT, file);
  fetched.mockImplementation(() => Promise.resolve(answer(502, null)));
  const chosen = chooseFace(SLOT, 2);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await chosen).toBeNull();
  expect(photos[SLOT]).toMatchObject({ state: "failed", problem: { status: 502 }, face: 2 });
  fetched.mockReset().mockResolvedValueOnce(answer(201, image));
  expect(await retry(SLOT)).toBeNull();
  expect(slotState(SLOT)).toBe("ready");
  expect([(sent(0).get("file") as File).name, sent(0).get("face")]).toEqual(["me.jpg", "2"]);
});

it("stops trying when the photo is taken out of its slot", async () => {
  fetched.mockImplementation(() => Promise.resolve(answer(502, null)));
  const done = pick(SLOT, file);
  await vi.advanceTimersByTimeAsync(100);
  clear(SLOT);
  expect(await done).toBeNull();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(fetched).toHaveBeenCalledOnce();
  expect(slotState(SLOT)).toBe("empty");
});

it("does not insist when the file is refused", async () => {
  const refused = { type: "urn:ligan:problem:not-an-image", title: "No image", status: 422, detail: "Choose another." };
  fetched.mockResolvedValueOnce(answer(422, refused));
  expect(await pick(SLOT, file)).toEqual(refused);
  expect(slotState(SLOT)).toBe("empty");
});
