//! Contents that were read lately, so that rows that stand together are read together. Its size is bounded.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::data_type::ByteArray;

/// What is kept at most, in bytes.
const MOST: usize = 64 << 20;

/// Contents of rows that follow each other.
pub(super) type Block = Arc<[Option<ByteArray>]>;

/// A place that one thread fills while others wait for it.
type Slot = Arc<Mutex<Option<Block>>>;

/// Blocks, the last used at the end; shared by the files of a data set.
#[derive(Default)]
pub(crate) struct Cache {
    blocks: Mutex<VecDeque<Kept>>,
}

struct Kept {
    /// The store and the first row.
    key: (usize, u64),
    slot: Slot,
    size: usize,
}

impl Cache {
    /// The block of this key, read if it is not there.
    pub(super) fn get<E>(
        &self,
        key: (usize, u64),
        read: impl FnOnce() -> Result<Block, E>,
    ) -> Result<Block, E> {
        let slot = self.slot(key);
        let mut block = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = &*block {
            return Ok(Arc::clone(block));
        }
        let found = read()?;
        *block = Some(Arc::clone(&found));
        drop(block);
        self.weigh(key, found.iter().flatten().map(ByteArray::len).sum());
        Ok(found)
    }

    fn slot(&self, key: (usize, u64)) -> Slot {
        let mut blocks = self.blocks();
        let kept = match blocks.iter().position(|kept| kept.key == key) {
            Some(at) => blocks.remove(at),
            None => None,
        };
        let kept = kept.unwrap_or_else(|| Kept {
            key,
            slot: Slot::default(),
            size: 0,
        });
        let slot = Arc::clone(&kept.slot);
        blocks.push_back(kept);
        slot
    }

    fn weigh(&self, key: (usize, u64), size: usize) {
        let mut blocks = self.blocks();
        if let Some(kept) = blocks.iter_mut().find(|kept| kept.key == key) {
            kept.size = size;
        }
        let mut all: usize = blocks.iter().map(|kept| kept.size).sum();
        while all > MOST && blocks.len() > 1 {
            all -= blocks.pop_front().map_or(0, |kept| kept.size);
        }
    }

    fn blocks(&self) -> std::sync::MutexGuard<'_, VecDeque<Kept>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
