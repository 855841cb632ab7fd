import { beforeEach, expect, it, vi } from "vitest";
import type * as Page from "../src/account";
import { loginAddress } from "../src/problem";
import type { Problem } from "../src/problem";

const alice = { mode: "local", name: "alice", role: "user", notice: "", limits: null };
const problem = (kind: string, status: number, more: object = {}) =>
  ({ type: `urn:ligan:problem:${kind}`, title: kind, status, detail: "Do something.", ...more }) as Problem;
const answer = (status: number, body: unknown): Response => new Response(JSON.stringify(body), { status });
const fetched = vi.fn<(url: string, init?: RequestInit) => Promise<Response>>();
const assign = vi.fn();
let page: typeof Page;

beforeEach(async () => {
  vi.resetModules();
  vi.clearAllMocks();
  vi.stubGlobal("fetch", fetched);
  vi.stubGlobal("location", { assign });
  page = await import("../src/account");
});

it("knows who it is", async () => {
  fetched.mockResolvedValueOnce(answer(200, alice));
  await page.learnAccount();
  expect(page.account.known?.name).toBe("alice");
  expect(page.canLeave(page.account.known!)).toBe(true);
  expect(page.canLeave({ ...page.account.known!, mode: "header" })).toBe(false);
});

it("sends who is not logged in to the login page and back", async () => {
  fetched.mockResolvedValueOnce(answer(401, problem("not-logged-in", 401, { login: "/login" })));
  await page.learnAccount();
  expect(assign.mock.calls).toEqual([["/login?next=%2F"]]);
  expect(page.account.known).toBeNull();
});

it("goes on without an answer", async () => {
  fetched.mockRejectedValueOnce(new TypeError("network"));
  await page.learnAccount();
  expect(assign).not.toHaveBeenCalled();
});

it("logs out, and says when it could not", async () => {
  fetched.mockResolvedValueOnce(answer(502, problem("unreachable", 502)));
  await page.leave();
  const { store } = await import("../src/store");
  expect(store.problems.map(({ status }) => status)).toEqual([502]);
  expect(assign).not.toHaveBeenCalled();
  fetched.mockResolvedValueOnce(answer(200, { ok: true }));
  await page.leave();
  expect(fetched.mock.lastCall?.slice(0, 1)).toEqual(["/api/v1/account/logout"]);
  expect(fetched.mock.lastCall?.[1]?.method).toBe("POST");
  expect(assign.mock.calls).toEqual([["/login?out"]]);
  fetched.mockResolvedValueOnce(answer(200, { ok: true, location: "https://login.example/out?x" }));
  await page.leave();
  expect(assign).toHaveBeenLastCalledWith("https://login.example/out?x");
});

it("leaves the service's own addresses for none", () => {
  expect(loginAddress(problem("not-logged-in", 401, { login: "/login" }), "/a?b=c")).toBe("/login?next=%2Fa%3Fb%3Dc");
  expect(loginAddress(problem("not-logged-in", 401, { login: "https://evil.example" }), "/")).toBeNull();
  expect(loginAddress(problem("not-logged-in", 401), "/")).toBeNull();
  expect(loginAddress(problem("no-session", 401, { login: "/login" }), "/")).toBeNull();
});
