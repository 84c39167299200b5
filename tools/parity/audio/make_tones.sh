#!/usr/bin/env bash
# A quarter of a second of a 440 Hz tone at 16 kHz, in every format that is read. Made with ffmpeg 5.1.
set -euo pipefail
cd "$(dirname "$0")/../../../crates/sensorium-audio/tests/fixtures"
tone=(-y -loglevel error -f lavfi -i "sine=frequency=440:sample_rate=16000:duration=0.25" -fflags +bitexact -flags:a +bitexact -map_metadata -1)
ffmpeg "${tone[@]}" -c:a pcm_s16le tone.wav
ffmpeg "${tone[@]}" -ac 2 -c:a pcm_f32le stereo_float.wav
ffmpeg "${tone[@]}" -c:a flac tone.flac
ffmpeg "${tone[@]}" -c:a libvorbis tone.ogg
ffmpeg "${tone[@]}" -c:a libmp3lame -b:a 32k tone.mp3
ffmpeg "${tone[@]}" -c:a aac -b:a 32k tone.m4a
ffmpeg "${tone[@]}" -c:a alac alac.m4a
ls -l
