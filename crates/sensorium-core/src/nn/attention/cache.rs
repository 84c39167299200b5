//! What decoding keeps, so that every token is computed once.

use burn::tensor::{Bool, Device, Int, Tensor};

/// Keys and values of the tokens so far. Memory for all that may come is taken once; a step writes what is new and copies
/// nothing else.
#[derive(Clone, Debug)]
pub struct KvCache {
    held: Option<Held>,
    capacity: usize,
    len: usize,
}

/// `[batch, kv_heads, capacity, d_head]` each.
#[derive(Clone, Debug)]
struct Held {
    key: Tensor<4>,
    value: Tensor<4>,
}

impl KvCache {
    /// An empty one for up to `capacity` tokens; its memory is taken when the first come.
    pub fn new(capacity: usize) -> Self {
        Self {
            held: None,
            capacity,
            len: 0,
        }
    }

    /// How many tokens are held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no token has been seen.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds keys and values `[batch, kv_heads, tokens, d_head]`; gives those of all tokens so far.
    ///
    /// # Panics
    /// If there is no room for them, or they have another shape than those before.
    pub(super) fn push(&mut self, key: Tensor<4>, value: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let [batch, heads, tokens, d_head] = key.dims();
        let end = self.len + tokens;
        assert!(
            end <= self.capacity,
            "{end} tokens do not fit into a cache for {}",
            self.capacity
        );
        let room = |device: &Device| Tensor::zeros([batch, heads, self.capacity, d_head], device);
        let held = self.held.take().unwrap_or_else(|| Held {
            key: room(&key.device()),
            value: room(&key.device()),
        });
        let place = [0..batch, 0..heads, self.len..end, 0..d_head];
        // Taken out, so that nobody else holds them and they are written in place.
        let key = held.key.slice_assign(place.clone(), key);
        let value = held.value.slice_assign(place, value);
        let so_far = (
            key.clone().narrow(2, 0, end),
            value.clone().narrow(2, 0, end),
        );
        self.held = Some(Held { key, value });
        self.len = end;
        so_far
    }

    /// Forgets all tokens but the first so many.
    pub fn keep(&mut self, tokens: usize) {
        self.len = self.len.min(tokens);
    }

    /// Makes room for up to `capacity` tokens in all, where there is less: what is held is copied once.
    pub fn reserve(&mut self, capacity: usize) {
        if capacity <= self.capacity {
            return;
        }
        self.capacity = capacity;
        let len = self.len;
        let grown = |all: Tensor<4>| {
            let [batch, heads, _, d_head] = all.dims();
            let room = Tensor::zeros([batch, heads, capacity, d_head], &all.device());
            let used = all.narrow(2, 0, len);
            room.slice_assign([0..batch, 0..heads, 0..len, 0..d_head], used)
        };
        let held = self.held.take().filter(|_| len > 0);
        self.held = held.map(|held| Held {
            key: grown(held.key),
            value: grown(held.value),
        });
    }

    /// Goes on with these samples of the batch, in this order; one may be taken more than once: `[rows]`.
    pub fn select(&mut self, rows: &Tensor<1, Int>) {
        let (count, len) = (rows.dims()[0], self.len);
        let select = |all: Tensor<4>| {
            let [batch, heads, capacity, d_head] = all.dims();
            // What no token has been written to is not copied.
            let used = all.clone().narrow(2, 0, len).select(0, rows.clone());
            let room = match count == batch {
                true => all,
                false => Tensor::zeros([count, heads, capacity, d_head], &all.device()),
            };
            room.slice_assign([0..count, 0..heads, 0..len, 0..d_head], used)
        };
        self.held = self.held.take().map(|held| Held {
            key: select(held.key),
            value: select(held.value),
        });
    }
}

/// Keys and values of a context, which is the same for every token.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// `[batch, kv_heads, keys, d_head]`
    pub(super) key: Tensor<4>,
    /// `[batch, kv_heads, keys, d_head]`
    pub(super) value: Tensor<4>,
    /// `[batch, keys]`, true = padding; `None` if there is none.
    pub(super) pad: Option<Tensor<2, Bool>>,
}

impl Remembered {
    /// Goes on with these samples of the batch, in this order; one may be taken more than once: `[rows]`.
    pub fn select(&mut self, rows: &Tensor<1, Int>) {
        self.key = self.key.clone().select(0, rows.clone());
        self.value = self.value.clone().select(0, rows.clone());
        self.pad = self.pad.take().map(|pad| pad.select(0, rows.clone()));
    }
}
