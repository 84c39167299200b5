#!/usr/bin/env bash
# Speaks the digits 0 to 9 in many voices for the embedded data set `av-digits`, and packs them.
#
#   apt-get install espeak-ng sox      (made with espeak-ng 1.51 and sox 14.4.2)
#   tools/av-digits/make_speech.sh     writes crates/sensorium-data/assets/av-digits/speech.tar.gz
#
# A voice is an accent, a timbre (espeak-ng's variant), a pitch and a speed. Timbres are parted: what is heard in
# training is not heard in validation or testing. 8 kHz, mono, 8 bits, silence cut off, loudest sample the same.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=crates/sensorium-data/assets/av-digits/speech.tar.gz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

speak() { # part accent timbre pitch speed
  local part=$1 accent=$2 timbre=$3 pitch=$4 speed=$5
  mkdir -p "$work/$part"
  local words=(zero one two three four five six seven eight nine)
  for digit in 0 1 2 3 4 5 6 7 8 9; do
    local file="$work/$part/${digit}_${accent}-${timbre}.wav"
    espeak-ng -v "$accent+$timbre" -p "$pitch" -s "$speed" -w "$work/raw.wav" "${words[$digit]}"
    # -D: no random dither, so that the same script gives the same bytes.
    sox -D "$work/raw.wav" -r 8000 -b 8 -c 1 "$file" \
      silence 1 0.01 1% reverse silence 1 0.01 1% reverse gain -n -1
  done
}

accents=(en-us en-gb en-gb-scotland en-gb-x-rp en-029 en-gb-x-gbclan en-gb-x-gbcwmd en-us-nyc)
n=0
each() { # part timbre...
  local part=$1; shift
  for timbre in "$@"; do
    # Two accents a timbre; pitch and speed go round so that none of the three tells the others.
    for turn in 0 1; do
      speak "$part" "${accents[$(((n * 3 + turn * 5) % 8))]}" "$timbre" "$((25 + (n * 17 + turn * 23) % 51))" "$((130 + (n * 29 + turn * 41) % 71))"
    done
    n=$((n + 1))
  done
}
each train m1 m2 m3 m5 m7 f1 f2 f4 f5 Andy Alicia Denis Hugo Linda Mario michel
each valid m4 f3 Marco
each test m6 m8 Annie Michael Andrea

tar --sort=name --owner=0 --group=0 --numeric-owner --mtime='2000-01-01 00:00Z' -C "$work" -cf - train valid test | gzip -9n > "$out"
ls -l "$out"
