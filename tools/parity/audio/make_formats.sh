#!/usr/bin/env bash
# One short sequence of tones in every format that is read, a longer one for windows, and sounds of many channels
# with what ffmpeg makes of them in one. Made with ffmpeg 5.1 (libmp3lame 3.100, libvorbis 1.3.7, libvpx 1.12).
set -euo pipefail
cd "$(dirname "$0")/../../../crates/sensorium-audio/tests/fixtures"
mkdir -p formats
cd formats
exact=(-fflags +bitexact -flags:a +bitexact -flags:v +bitexact -map_metadata -1)
say() { ffmpeg -y -loglevel error "$@"; }

# 2,400 samples at 16 kHz: silence, 440 Hz from 800 on, 1 kHz from 1,600 on. The original of all that follows.
notes="if(lt(n,800),0,if(lt(n,1600),0.5*sin(2*PI*440*(n-800)/16000),0.25*sin(2*PI*1000*(n-1600)/16000)))"
say -f lavfi -i "aevalsrc=exprs='$notes':sample_rate=16000:duration=0.15" "${exact[@]}" -c:a pcm_s16le s16.wav
encode() { say -i s16.wav "${exact[@]}" "$@"; }
encode -c:a pcm_u8 u8.wav
encode -c:a pcm_s24le s24.wav
encode -c:a pcm_s32le s32.wav
encode -c:a pcm_f32le f32.wav
encode -c:a pcm_f64le f64.wav
encode -c:a pcm_alaw alaw.wav
encode -c:a pcm_mulaw mulaw.wav
encode -c:a flac notes.flac
encode -c:a alac alac.m4a
encode -c:a pcm_s24be s24_big.mov
encode -c:a pcm_s24le s24_little.mov
encode -c:a pcm_f32be f32_big.mov
encode -c:a libmp3lame -b:a 48k cbr.mp3
encode -c:a libmp3lame -q:a 4 vbr.mp3
encode -c:a libvorbis -q:a 4 vorbis.ogg
encode -c:a aac -b:a 48k aac.m4a
encode -c:a aac -b:a 48k -f adts adts.aac
# Films: a picture track stands before the sound.
film() { say -f lavfi -i "color=c=gray:size=16x16:rate=20:duration=0.15" -i s16.wav -map 0:v -map 1:a "${exact[@]}" "$@"; }
film -c:v mpeg4 -c:a aac -b:a 48k film_aac.mp4
film -c:v mpeg4 -c:a aac -b:a 48k film_aac.mkv
film -c:v mpeg4 -c:a flac film_flac.mkv
film -c:v mpeg4 -c:a pcm_s16le film_pcm.mkv
film -c:v mpeg4 -c:a libmp3lame -b:a 48k film_mp3.mkv
# Into a pipe nothing can be gone back to: the lengths stay unknown.
film -c:v mpeg4 -c:a aac -b:a 48k -f matroska -live 1 pipe: > film_piped.mkv
film -c:v libvpx -b:v 20k -c:a libvorbis -q:a 4 film_vorbis.webm

# Five seconds at 8 kHz: a tone that climbs every quarter of a second, with noise for the codecs that model it.
tones="0.3*sin(2*PI*t*(250+125*floor(t*4)))*lt(mod(t,0.25),0.2)"
long() { say -f lavfi -i "aevalsrc=exprs='$tones+0.04*(random(0)-0.5)':sample_rate=8000:duration=5" "${exact[@]}" "$@"; }
long -c:a libmp3lame -b:a 16k long_cbr.mp3
long -c:a libmp3lame -q:a 9 long_vbr.mp3
long -c:a libvorbis -q:a -1 long.ogg
long -c:a aac -b:a 12k long.m4a
say -i long.m4a "${exact[@]}" -c copy -f adts long.aac
# Nothing but noise: the encoder leaves bands to the decoder's own.
say -f lavfi -i "aevalsrc=exprs='0.05*(random(0)-0.5)':sample_rate=48000:duration=4" "${exact[@]}" -c:a aac -b:a 32k noise.m4a
say -i long.m4a "${exact[@]}" -c copy long_aac.mkv
say -i long_cbr.mp3 "${exact[@]}" -c copy long_mp3.mkv
say -i long.ogg "${exact[@]}" -c copy long_vorbis.mkv
say -f lavfi -i "aevalsrc=exprs='$tones':sample_rate=8000:duration=2" "${exact[@]}" -c:a flac -frame_size 512 long.flac
say -i long.flac "${exact[@]}" -c copy long_flac.mkv
say -f lavfi -i "aevalsrc=exprs='$tones':sample_rate=8000:duration=2" "${exact[@]}" -c:a alac long_alac.m4a

# Many channels, each with a tone of its own, and what ffmpeg's -ac 1 makes of them.
around() {
  local tones="" n
  for n in $(seq 1 "$1"); do tones+="${tones:+|}0.8*sin(2*PI*t*$((150 * n)))"; done
  say -f lavfi -i "aevalsrc=exprs='$tones':sample_rate=8000:channel_layout=$2:duration=0.025" "${exact[@]}" -c:a "$3" "$4"
  say -i "$4" "${exact[@]}" -ac 1 -c:a pcm_s16le "${4%.*}.mono.wav"
}
around 2 stereo pcm_s16le stereo.wav
around 3 3.0 flac surround30.flac
around 4 quad pcm_s16le quad.wav
around 6 5.1 flac surround51.flac
around 6 "5.1(side)" pcm_s16le surround51.wav
around 7 6.1 pcm_s16le surround61.wav
around 8 7.1 pcm_s16le surround71.wav
around 8 7.1 flac surround71.flac
ls -l
