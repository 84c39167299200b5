//! BERT and RoBERTa, their heads, and the sentence encoders built on them.
