import { beforeEach, expect, it, vi } from "vitest";
import type { Announcement, Maintenance } from "../src/wire";

const NOW = 1_800_000_000;
const announcement: Announcement = { announcement_id: "n-1", text: "Disks are new.", level: "info", until: NOW + 60, since: NOW };
const planned: Maintenance = { at: NOW + 3600, until: NOW + 7200, drain: false, message: "New disks." };

let kept: Map<string, string>;
beforeEach(() => {
  kept = new Map();
  vi.resetModules();
  vi.stubGlobal("localStorage", { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value) });
});
const load = () => import("../src/notices");

it("shows an announcement until its time is over", async () => {
  const { announced, learnNotices, notices } = await load();
  expect(announced(notices, NOW)).toBeNull();
  learnNotices({ announcement, maintenance: null });
  expect(announced(notices, NOW)?.text).toBe("Disks are new.");
  expect(announced(notices, NOW + 60)).toBeNull();
  learnNotices({ announcement: { ...announcement, until: null }, maintenance: null });
  expect(announced(notices, NOW + 9e6)?.text).toBe("Disks are new.");
});

it("remembers what was dismissed, and shows the next one", async () => {
  const first = await load();
  first.learnNotices({ announcement, maintenance: null });
  first.dismissAnnouncement(announcement);
  expect(first.announced(first.notices, NOW)).toBeNull();
  vi.resetModules();
  const reloaded = await load();
  reloaded.learnNotices({ announcement, maintenance: null });
  expect(reloaded.announced(reloaded.notices, NOW)).toBeNull();
  reloaded.learnNotices({ announcement: { ...announcement, announcement_id: "n-2" }, maintenance: null });
  expect(reloaded.announced(reloaded.notices, NOW)).not.toBeNull();
});

it("does without a browser's storage", async () => {
  vi.stubGlobal("localStorage", { getItem: () => { throw new Error("denied"); }, setItem: () => { throw new Error("denied"); } });
  const { announced, dismissAnnouncement, learnNotices, notices } = await load();
  learnNotices({ announcement, maintenance: null });
  dismissAnnouncement(announcement);
  expect(announced(notices, NOW)).toBeNull();
});

it("says when maintenance is, and what that means", async () => {
  const { maintenanceWords } = await load();
  expect(maintenanceWords(null, NOW)).toBeNull();
  expect(maintenanceWords(planned, NOW)).toMatch(/^Maintenance from .+ until .+\. New disks\.$/);
  expect(maintenanceWords({ ...planned, drain: true }, NOW)).toMatch(/once your tasks are done\.$/);
  expect(maintenanceWords(planned, NOW + 3600)).toMatch(/^Maintenance until .+: no backend is started\. New disks\. A backend that runs goes on\.$/);
  expect(maintenanceWords({ ...planned, until: null, drain: true, message: "" }, NOW + 1e6)).toBe("Maintenance: no backend is started. Your results stay here.");
  expect(maintenanceWords(planned, NOW + 7200)).toBeNull();
});
