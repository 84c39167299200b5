//! A causal transformer token by token: every token is computed once.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use super::attention::KvCache;
use super::host;
use super::rotary::Positions;
use super::stack::Transformer;

/// What a causal [`Transformer`] keeps from one step to the next, of each block. Memory for all that may come is taken once.
#[derive(Clone, Debug)]
pub struct TransformerCache {
    blocks: Vec<KvCache>,
    /// `[batch, capacity]`, true at padding; `None` if there is none.
    pad: Option<Tensor<2, Bool>>,
    /// How many tokens of padding stand before each text.
    before: Vec<usize>,
    capacity: usize,
}

impl Transformer {
    /// Begins a text a row, for up to `capacity` tokens each. Before the first token of each stand `before` tokens of padding, so that
    /// texts of several lengths end together; they count among `capacity`.
    ///
    /// # Panics
    /// If the transformer is not causal: what comes later would change what has been computed.
    pub fn begin(&self, before: &[usize], capacity: usize, device: &Device) -> TransformerCache {
        assert!(
            self.causal,
            "only a causal transformer can go token by token"
        );
        TransformerCache {
            blocks: self.blocks.iter().map(|_| KvCache::new(capacity)).collect(),
            pad: padding(before, capacity, device),
            before: before.to_vec(),
            capacity,
        }
    }

    /// Begins rows of which the first tokens are to have `pad` `[batch, tokens]`, true at padding, wherever it stands. Positions are
    /// then for whoever steps to say.
    ///
    /// # Panics
    /// If the transformer is not causal, or has no room for them.
    pub fn begin_after(&self, pad: &Tensor<2, Bool>, capacity: usize) -> TransformerCache {
        let [rows, tokens] = pad.dims();
        let device = pad.device();
        let mut cache = self.begin(&vec![0; rows], capacity, &device);
        assert!(
            tokens <= capacity,
            "{tokens} tokens do not fit into a cache for {capacity}"
        );
        let rest = Tensor::<2, Bool>::full([rows, capacity - tokens], false, &device);
        cache.pad = Some(match capacity == tokens {
            true => pad.clone(),
            false => Tensor::cat(vec![pad.clone(), rest], 1),
        });
        cache
    }

    /// The next tokens, `[batch, tokens, d_model]`, as [`forward`](Self::forward) gives them where they follow those that the
    /// cache has seen; they join it. Tokens stand where `positions` says, or one after the other.
    ///
    /// # Panics
    /// If the cache has no room for them, is another transformer's, or has other rows.
    pub fn step(
        &self,
        tokens: Tensor<3>,
        positions: Option<&Positions>,
        cache: &mut TransformerCache,
    ) -> Tensor<3> {
        let [rows, count, _] = tokens.dims();
        assert_eq!(
            [self.blocks.len(), rows],
            [cache.blocks.len(), cache.before.len()],
            "blocks and rows: the cache is another's"
        );
        let following = cache.following(count);
        let angles = self.angles(&tokens, Some(positions.unwrap_or(&following)));
        let end = cache.len() + count;
        let pad = cache.pad.clone().map(|pad| pad.narrow(1, 0, end));
        let x = host::by_threads(tokens, |tokens| {
            let blocks = self.blocks.iter().zip(&mut cache.blocks);
            blocks.fold(tokens, |x, (block, own)| {
                block.step(x, angles.as_ref(), pad.as_ref(), own)
            })
        });
        match &self.norm {
            Some(norm) => norm.forward(x),
            None => x,
        }
    }
}

impl TransformerCache {
    /// How many tokens of each row have been seen, padding before it counted.
    pub fn len(&self) -> usize {
        self.blocks.first().map_or(0, KvCache::len)
    }

    /// Whether no token has been seen.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many tokens the longest text has, padding before it not counted.
    pub fn longest(&self) -> usize {
        let before = self.before.iter().copied().min().unwrap_or(0);
        self.len().saturating_sub(before)
    }

    /// How many more tokens there is room for.
    pub fn room(&self) -> usize {
        self.capacity - self.len()
    }

    /// Forgets all tokens of each row but the first so many, padding before them counted: others may follow these.
    pub fn keep(&mut self, tokens: usize) {
        if tokens >= self.len() {
            return;
        }
        self.blocks.iter_mut().for_each(|cache| cache.keep(tokens));
        self.fit_padding(tokens);
    }

    /// Makes room for up to `capacity` tokens a row in all, where there is less.
    pub fn reserve(&mut self, capacity: usize) {
        if capacity <= self.capacity {
            return;
        }
        self.capacity = capacity;
        self.blocks
            .iter_mut()
            .for_each(|cache| cache.reserve(capacity));
        self.fit_padding(self.len());
    }

    /// Padding as it stands among the first `tokens` of each row, and behind them that of rows that have yet to begin, in memory for all that
    /// may come.
    fn fit_padding(&mut self, tokens: usize) {
        let (before, capacity) = (&self.before, self.capacity);
        self.pad = self.pad.take().map(|pad| {
            let rest = |before: &usize| {
                let before = *before;
                (tokens..capacity).map(move |at| at < before)
            };
            let rest: Vec<bool> = before.iter().flat_map(rest).collect();
            let rest = TensorData::new(rest, [before.len(), capacity - tokens]);
            let rest = Tensor::<2, Bool>::from_data(rest, &pad.device());
            match tokens {
                0 => rest,
                _ => Tensor::cat(vec![pad.narrow(1, 0, tokens), rest], 1),
            }
        });
    }

    /// Where the next `tokens` of each row stand, if texts are counted from their beginning.
    pub fn following(&self, tokens: usize) -> Positions {
        let at = |before: &usize| self.len() as i64 - *before as i64;
        let starts: Vec<i64> = self.before.iter().map(at).collect();
        Positions::rows(&starts, tokens)
    }

    /// Goes on with these rows, in this order; one may be taken more than once.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn select(&mut self, rows: &[usize], device: &Device) {
        if rows.iter().copied().eq(0..self.before.len()) {
            return;
        }
        let ids: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [rows.len()]), device);
        self.blocks.iter_mut().for_each(|cache| cache.select(&ids));
        self.before = rows.iter().map(|row| self.before[*row]).collect();
        self.pad = self.pad.take().map(|pad| pad.select(0, ids));
    }
}

/// `[batch, capacity]`, true at the first so many of each row; nothing if there are none.
fn padding(before: &[usize], capacity: usize, device: &Device) -> Option<Tensor<2, Bool>> {
    before.iter().any(|before| *before > 0).then(|| {
        let row = |before: &usize| (0..capacity).map(|at| at < *before).collect::<Vec<_>>();
        let rows: Vec<bool> = before.iter().flat_map(row).collect();
        Tensor::from_data(TensorData::new(rows, [before.len(), capacity]), device)
    })
}
