//! The number formats of safetensors, and how they become `f32`.

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

/// How a tensor's numbers are stored; little-endian throughout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum Dtype {
    /// One byte, 0 or 1.
    Bool,
    /// Unsigned, one byte.
    U8,
    /// Signed, one byte.
    I8,
    /// Unsigned, two bytes.
    U16,
    /// Signed, two bytes.
    I16,
    /// IEEE half precision.
    F16,
    /// The upper half of a single-precision number.
    Bf16,
    /// Unsigned, four bytes.
    U32,
    /// Signed, four bytes.
    I32,
    /// Single precision.
    F32,
    /// Unsigned, eight bytes.
    U64,
    /// Signed, eight bytes.
    I64,
    /// Double precision.
    F64,
}

impl Dtype {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Bool,
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::F16,
        Self::Bf16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    /// As safetensors has it: `F32`, `BF16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::U8 => "U8",
            Self::I8 => "I8",
            Self::U16 => "U16",
            Self::I16 => "I16",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::U32 => "U32",
            Self::I32 => "I32",
            Self::F32 => "F32",
            Self::U64 => "U64",
            Self::I64 => "I64",
            Self::F64 => "F64",
        }
    }

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether its numbers are real ones.
    pub fn is_real(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }

    /// Numbers as `f32`, or `None` for formats that are not of real numbers.
    pub(crate) fn to_f32(self, bytes: &[u8]) -> Option<Vec<f32>> {
        Some(match self {
            Self::F32 => numbers(bytes, f32::from_le_bytes),
            Self::F16 => numbers(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => numbers(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Self::F64 => numbers(bytes, |b| f64::from_le_bytes(b) as f32),
            _ => return None,
        })
    }
}

fn numbers<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<N>();
    numbers.iter().map(|b| read(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_format() {
        for dtype in Dtype::ALL {
            assert_eq!(Dtype::named(dtype.name()), Some(dtype));
            let written = serde_json::to_value(dtype).unwrap();
            assert_eq!(written, dtype.name());
        }
        assert_eq!(Dtype::named("F4"), None);
        assert_eq!(Dtype::named("f32"), None);
    }

    #[test]
    fn real_numbers_become_single_precision() {
        let expected = [1.5f32, -0.25, f32::INFINITY];
        let f16s = expected.map(|x| f16::from_f32(x).to_le_bytes()).concat();
        let bf16s = expected.map(|x| bf16::from_f32(x).to_le_bytes()).concat();
        let f64s = expected.map(|x| f64::from(x).to_le_bytes()).concat();
        assert_eq!(Dtype::F16.to_f32(&f16s).unwrap(), expected);
        assert_eq!(Dtype::Bf16.to_f32(&bf16s).unwrap(), expected);
        assert_eq!(Dtype::F64.to_f32(&f64s).unwrap(), expected);
        assert_eq!(Dtype::I64.to_f32(&f64s), None);
    }
}
