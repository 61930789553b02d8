"""Where the project is, and the recorded answers beside it, which only its developers have."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT.parent / "shared" / "nztab" / "samples"
