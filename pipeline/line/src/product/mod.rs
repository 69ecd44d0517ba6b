//! The door to the products: each file is one, with its shape, its look, and what can go wrong with it.

mod blister_pack;
mod washer;

use rand_chacha::ChaCha8Rng;

use crate::{
    DefectKind, Product,
    flaw::{Flaw, Texel},
    shape::V2,
};
use blister_pack::BlisterPack;
use washer::Washer;

/// A part's body: geometry and look, sound or not. Flaws of the surface lie on top of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Washer(Washer),
    BlisterPack(BlisterPack),
}

/// Where a defect is: kind, middle and half sides of the box around it, in the part's own mm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mark {
    pub(crate) kind: DefectKind,
    pub(crate) at: V2,
    pub(crate) half: V2,
}

impl Body {
    /// A sound part with its natural variation.
    pub(crate) fn draw(product: Product, rng: &mut ChaCha8Rng) -> Self {
        match product {
            Product::Washer => Self::Washer(Washer::draw(rng)),
            Product::BlisterPack => Self::BlisterPack(BlisterPack::draw(rng)),
        }
    }

    /// Gives the body a defect of shape, or returns the flaw to lay on its surface.
    pub(crate) fn spoil(&mut self, kind: DefectKind, rng: &mut ChaCha8Rng) -> Spoilt {
        match self {
            Self::Washer(washer) => washer.spoil(kind, rng),
            Self::BlisterPack(pack) => pack.spoil(kind, rng),
        }
    }

    /// The same body as it should have been.
    pub(crate) fn mended(&self) -> Self {
        match self {
            Self::Washer(washer) => Self::Washer(washer.mended()),
            Self::BlisterPack(pack) => Self::BlisterPack(pack.mended()),
        }
    }

    /// From the middle to the leading edge, in mm, as this part really is.
    pub(crate) fn half_length_mm(&self) -> f32 {
        match self {
            Self::Washer(washer) => washer.outer_mm(),
            Self::BlisterPack(_) => blister_pack::HALF.x,
        }
    }

    /// Half sides of a box, along the part's own axes, that holds the part and its shadow, in mm.
    pub(crate) fn reach_mm(&self) -> V2 {
        match self {
            Self::Washer(washer) => V2::new(1.0, 1.0) * (washer.outer_mm() + washer.sticks_out_mm().max(2.0)),
            Self::BlisterPack(_) => blister_pack::HALF + V2::new(1.5, 1.5),
        }
    }

    /// What is seen at `p`. `to_light` is the unit vector towards the light, in the part's own turn.
    pub(crate) fn texel(&self, p: V2, mm_per_px: f32, to_light: V2) -> Texel {
        match self {
            Self::Washer(washer) => washer.texel(p, mm_per_px, to_light),
            Self::BlisterPack(pack) => pack.texel(p, mm_per_px, to_light),
        }
    }

    /// How much light the part keeps from the belt at `p`: 0 none, 1 all.
    pub(crate) fn shadow(&self, p: V2, to_light: V2) -> f32 {
        match self {
            Self::Washer(washer) => washer.shadow(p, to_light),
            Self::BlisterPack(pack) => pack.shadow(p, to_light),
        }
    }
}

/// What [`Body::spoil`] did.
pub(crate) enum Spoilt {
    /// The body itself changed; here is where.
    Body(Mark),
    /// The body is as it was, this lies on it.
    Surface(Flaw),
}
