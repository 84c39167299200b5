//! What must hold of SigLIP.

mod parity;
