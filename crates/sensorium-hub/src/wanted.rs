//! What a module wants from a checkpoint: its parameters by their published names and in their published layout.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

use crate::KeyMap;
use crate::keymap::Place;

/// The way from a module to one of its parameters.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// Names of fields, and the types that hold them.
    segments: Vec<(String, String)>,
}

/// The norms of Burn, whose scale and shift have names of their own.
const NORMS: [&str; 5] = [
    "Struct:LayerNorm",
    "Struct:RmsNorm",
    "Struct:GroupNorm",
    "Struct:BatchNorm",
    "Struct:InstanceNorm",
];

impl Trail {
    pub(crate) fn enter(&mut self, name: &str, holder: &str) {
        self.segments.push((name.to_owned(), holder.to_owned()));
    }

    pub(crate) fn leave(&mut self) {
        self.segments.pop();
    }

    /// The path as checkpoints would have it.
    pub(crate) fn path(&self) -> String {
        let mut path = Vec::with_capacity(self.segments.len());
        for (name, holder) in &self.segments {
            match name.as_str() {
                // The choice that sensorium-core's `Norm` wraps.
                "layer" | "rms" if holder == "Struct:Norm" => (),
                "gamma" if self.is_norm(holder) => path.push("weight"),
                "beta" if self.is_norm(holder) => path.push("bias"),
                name => path.push(name),
            }
        }
        path.join(".")
    }

    fn is_norm(&self, holder: &str) -> bool {
        NORMS.contains(&holder)
    }

    fn holder(&self) -> &str {
        self.segments.last().map_or("", |(_, holder)| holder)
    }

    /// What older checkpoints call a norm's scale or shift.
    fn old_name(&self) -> Option<&'static str> {
        let (name, holder) = self.segments.last()?;
        match name.as_str() {
            "gamma" if self.is_norm(holder) => Some("gamma"),
            "beta" if self.is_norm(holder) => Some("beta"),
            _ => None,
        }
    }

    /// Whether a parameter of this rank is the matrix of a `Linear`.
    pub(crate) fn is_matrix_of_linear(&self, rank: usize) -> bool {
        rank == 2 && self.holder() == "Struct:Linear"
    }
}

/// A parameter, as a checkpoint has it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Its path in the module, in the form checkpoints have.
    pub(crate) ours: String,
    pub(crate) place: Place,
    /// In their layout; the whole of it where theirs are joined, one part where ours is one.
    pub(crate) shape: Vec<usize>,
    /// Whether it is the other way round there.
    pub(crate) transposed: bool,
    /// Whether it has no dimension there.
    pub(crate) scalar: bool,
    /// What the last segment was called in older checkpoints.
    pub(crate) old_name: Option<&'static str>,
}

impl Wanted {
    pub(crate) fn new(trail: &Trail, shape: &[usize], map: &KeyMap) -> Self {
        let ours = trail.path();
        let transposed = trail.is_matrix_of_linear(shape.len()) && !map.is_straight(&ours);
        let mut shape = shape.to_vec();
        if transposed {
            shape.reverse();
        }
        Self {
            place: map.place(&ours),
            transposed,
            scalar: map.is_scalar(&ours),
            old_name: trail.old_name(),
            shape,
            ours,
        }
    }

    /// The shape of the tensor that it is one part of, or of itself.
    pub(crate) fn whole_shape(&self) -> Vec<usize> {
        let mut shape = self.shape.clone();
        if let (Some((_, of)), Some(first)) = (self.place.part, shape.first_mut()) {
            *first *= of;
        }
        shape
    }
}

/// All that a module wants, without initialising what is not initialised yet.
pub(crate) fn wanted<M: Module>(module: &M, map: &KeyMap) -> Vec<Wanted> {
    struct Visitor<'a> {
        trail: Trail,
        map: &'a KeyMap,
        found: Vec<Wanted>,
    }
    impl ModuleVisitor for Visitor<'_> {
        fn enter_module(&mut self, name: &str, holder: &str) {
            self.trail.enter(name, holder);
        }
        fn exit_module(&mut self, _name: &str, _holder: &str) {
            self.trail.leave();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let shape = param.lazy_shape();
            self.found
                .push(Wanted::new(&self.trail, shape.as_slice(), self.map));
        }
    }
    let mut visitor = Visitor {
        trail: Trail::default(),
        map,
        found: Vec::new(),
    };
    module.visit(&mut visitor);
    visitor.found
}
