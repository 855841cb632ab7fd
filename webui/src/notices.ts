/** What operators tell everybody: an announcement that can be dismissed, and maintenance. */
import { reactive } from "vue";
import type { Announcement, Maintenance, Notices } from "./wire";
import { clock } from "./words";

const KEY = "ligan-dismissed";
export const notices = reactive({
  known: { announcement: null, maintenance: null } as Notices,
  /** ID of the announcement that was dismissed in this browser. */
  dismissed: stored(),
});

export function learnNotices(said: Notices): void {
  notices.known = said;
}

/** The announcement that is to be seen at the time `now` (Unix seconds). */
export function announced({ known, dismissed }: typeof notices, now: number): Announcement | null {
  const found = known.announcement;
  const over = !found || found.announcement_id === dismissed || (found.until !== null && now >= found.until);
  return over ? null : found;
}

/** From now on this browser does not show it; another one is shown. */
export function dismissAnnouncement({ announcement_id }: Announcement): void {
  notices.dismissed = announcement_id;
  try {
    localStorage.setItem(KEY, announcement_id);
  } catch {
    // a browser that stores nothing shows it again after a reload
  }
}

function stored(): string {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** What is to be said of a maintenance at the time `now` (Unix seconds); null when it is over. */
export function maintenanceWords(planned: Maintenance | null, now: number): string | null {
  if (!planned || (planned.until !== null && now >= planned.until)) return null;
  const until = planned.until === null ? "" : ` until ${clock(planned.until, now)}`;
  const [when, what] =
    now < planned.at
      ? [`Maintenance from ${clock(planned.at, now)}${until}.`, planned.drain ? "Backends end then, once your tasks are done." : ""]
      : [`Maintenance${until}: no backend is started.`, planned.drain ? "Your results stay here." : "A backend that runs goes on."];
  return [when, planned.message, what].filter(Boolean).join(" ");
}
