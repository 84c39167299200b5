//! Sound to tokens: decoding, resampling, log-mel features and a spectrogram transformer.
