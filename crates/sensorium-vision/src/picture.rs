//! Decoded pixels on the host, before they are resized and normalised.

/// A decoded image: bytes row by row, channels together (`[height, width, channels]`).
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    channels: usize,
    data: Vec<u8>,
}

impl Picture {
    /// Joins sizes and bytes: 1 channel (grey) or 3 (red, green, blue).
    ///
    /// # Panics
    /// If a size is zero, there are other than 1 or 3 channels, or `data` is not
    /// `width * height * channels` long.
    pub fn new(width: usize, height: usize, channels: usize, data: Vec<u8>) -> Self {
        assert!(width > 0 && height > 0, "a picture has pixels");
        assert!(channels == 1 || channels == 3, "{channels} channels");
        assert_eq!(data.len(), width * height * channels, "bytes of a picture");
        Self {
            width,
            height,
            channels,
            data,
        }
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// 1 (grey) or 3 (red, green, blue).
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// All bytes: `[height, width, channels]`.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The channels of the pixel in column `x` of row `y`.
    ///
    /// # Panics
    /// If there is no such pixel.
    pub fn pixel(&self, x: usize, y: usize) -> &[u8] {
        assert!(x < self.width && y < self.height, "no pixel ({x}, {y})");
        let start = (y * self.width + x) * self.channels;
        &self.data[start..start + self.channels]
    }

    /// The picture in grey, by the luma of ITU-R BT.601 in Pillow's fixed point
    /// (`convert("L")`): 0.299 red + 0.587 green + 0.114 blue, rounded.
    pub fn to_grey(self) -> Self {
        if self.channels == 1 {
            return self;
        }
        // 0.299, 0.587 and 0.114 in 16 binary digits; they add up to 65,536, so grey stays itself.
        let luma = |p: &[u8]| {
            let sum = u32::from(p[0]) * 19_595 + u32::from(p[1]) * 38_470 + u32::from(p[2]) * 7_471;
            ((sum + 0x8000) >> 16) as u8
        };
        Self {
            channels: 1,
            data: self.data.chunks_exact(3).map(luma).collect(),
            ..self
        }
    }

    /// The picture in three channels; grey becomes three equal ones.
    pub fn to_rgb(self) -> Self {
        if self.channels == 3 {
            return self;
        }
        Self {
            channels: 3,
            data: self.data.iter().flat_map(|v| [*v; 3]).collect(),
            ..self
        }
    }
}

impl core::fmt::Debug for Picture {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            width,
            height,
            channels,
            ..
        } = self;
        write!(f, "Picture({width} x {height}, {channels} channels)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_is_pillows() {
        let picture = Picture::new(4, 1, 3, [255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9].to_vec());
        assert_eq!(picture.to_grey().data(), [76, 150, 29, 9]);
        for v in 0..=255 {
            let grey = Picture::new(1, 1, 3, vec![v; 3]).to_grey();
            assert_eq!(grey.data(), [v]);
            assert_eq!(grey.to_rgb().data(), [v; 3]);
        }
    }
}
