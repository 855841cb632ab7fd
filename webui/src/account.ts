/** Who uses the page: the name that it shows, and logging out. */
import { reactive, watch } from "vue";
import * as api from "./api";
import { ProblemError } from "./problem";
import { close, report, store } from "./store";
import type { Account } from "./wire";

export const account = reactive({ known: null as Account | null, leaving: false });

/** Asks who it is. What the page does needs no answer; who is not logged in any more is sent to the login page. */
export async function learnAccount(): Promise<void> {
  try {
    account.known = await api.readAccount();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
  }
}

/** Can this browser be logged out here? A login of the site's own proxy cannot. */
export const canLeave = ({ mode }: Account): boolean => mode === "local" || mode === "oidc";

/** Ends the login of this browser and shows the login page. */
export async function leave(): Promise<void> {
  if (account.leaving) return;
  account.leaving = true;
  try {
    const out = await api.logOut();
    close();
    location.assign(out.location || "/login?out"); // the login provider's page comes back to the same address
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    report(error.problem);
  } finally {
    account.leaving = false;
  }
}

/** To be called once: a stream that breaks may have been ended because the login was. */
export function watchAccount(): void {
  void learnAccount();
  watch(() => store.online, (online) => void (online || learnAccount()));
}
