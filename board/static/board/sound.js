// Sounds, off until the user turns them on: browsers let a page sound only after a gesture.

import { keep, recall } from "./kept.js";

const TONES = { alert: [880, 1175], minute: [440] };
const TONE_SECONDS = 0.18;
let speaker;

// Say what the user has to know: off, on, or blocked by the browser until the next gesture.
export function soundState() {
  if (!recall("sound", false)) return "off";
  return speaker?.state === "running" ? "on" : "blocked";
}

export async function toggleSound() {
  const isWanted = soundState() !== "on"; // who has it blocked wants it, and this is the gesture
  keep("sound", isWanted);
  if (!isWanted) return speaker?.suspend();
  speaker ??= new AudioContext();
  await speaker.resume();
  sound("minute");
}

export function sound(kind) {
  if (soundState() !== "on") return;
  TONES[kind].forEach((frequency, place) => {
    const tone = speaker.createOscillator();
    tone.connect(speaker.destination);
    tone.frequency.value = frequency;
    tone.start(speaker.currentTime + place * TONE_SECONDS);
    tone.stop(speaker.currentTime + (place + 1) * TONE_SECONDS);
  });
}
