/** Erasing all that the service keeps of this person: asked about, confirmed, done; then the page begins anew. */
import { reactive } from "vue";
import * as api from "./api";
import { ProblemError, slug } from "./problem";
import type { Problem } from "./problem";
import { passing } from "./retry";
import { close } from "./store";

export const erasure = reactive({
  step: "none" as "none" | "asking" | "erasing" | "erased",
  /** Why the last try failed. */
  problem: null as Problem | null,
  /** The page was loaded because all was erased. */
  anew: false,
});
let unsure = false; // a try may have been done although its answer never came

export function ask(): void {
  erasure.step = "asking";
  erasure.problem = null;
}

/** The person keeps the data; what was confirmed already goes on. */
export function keep(): void {
  if (erasure.step === "asking") erasure.step = "none";
}

/** Erases, then loads the start page anew, whose answer begins another session. After a failure it can be tried again. */
export async function erase(): Promise<void> {
  if (erasure.step !== "asking") return;
  erasure.step = "erasing";
  erasure.problem = await failure();
  if (erasure.problem) erasure.step = "asking";
  else beginAnew();
}

async function failure(): Promise<Problem | null> {
  try {
    await api.eraseSession();
    return null;
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    if (unsure && slug(error.problem) === "no-session") return null; // an earlier try was done
    unsure ||= passing(error.problem);
    return error.problem;
  }
}

/** The browser keeps a history entry's state over a reload: so the next page knows, and nothing is stored for it. */
function beginAnew(): void {
  erasure.step = "erased";
  close();
  history.replaceState({ erased: true }, "");
  location.reload();
}

/** To be called once after the page is shown: says once that all was erased. */
export function greet(): void {
  erasure.anew = (history.state as { erased?: boolean } | null)?.erased === true;
  if (erasure.anew) history.replaceState(null, "");
}
