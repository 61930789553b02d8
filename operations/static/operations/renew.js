"use strict";

/* Renews what stands on a page, from the page's own address. It rests while the page is hidden or while somebody
   selects text, and says so when it cannot renew. */

const PARTS = "[data-renew], #content .readonly"; // the same ones in each version of a page
const TABLES = ".raceday-table"; // which may be scrolled
const EVERY_MS = 5000;
const LONGEST_MS = 4000; // that an answer may take
const note = document.getElementById("renewed");
const shown = new WeakMap(); // what each part was last set to: a page's own scripts may change it since
let timer;

function say(sentence, isFault) {
    note.textContent = sentence;
    note.classList.toggle("raceday-fault", isFault);
}

async function latest() {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(LONGEST_MS) });
    if (answer.redirected) throw new Error("you are logged out, or this page is gone");
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function replace(part, html) {
    if (html === shown.get(part)) return;
    const places = [...part.querySelectorAll(TABLES)].map((table) => table.scrollLeft);
    part.innerHTML = html;
    part.querySelectorAll(TABLES).forEach((table, index) => { table.scrollLeft = places[index] ?? 0; });
    shown.set(part, html);
}

async function renew() {
    if (getSelection().type !== "Range") {
        try {
            const fresh = (await latest()).querySelectorAll(PARTS);
            document.querySelectorAll(PARTS).forEach((part, index) => replace(part, fresh[index].innerHTML));
            say(`Renewed at ${new Date().toLocaleTimeString("en-NZ", { hour12: false })} by your clock.`, false);
        } catch (fault) {
            const isSilent = fault instanceof TypeError || fault.name === "TimeoutError";
            say(`Not renewed: ${isSilent ? "no answer" : fault.message}. What you see is old.`, true);
        }
    }
    clearTimeout(timer); // of a renewal that began meanwhile
    if (!document.hidden) timer = setTimeout(renew, EVERY_MS);
}

document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) renew();
});
timer = setTimeout(renew, EVERY_MS);
