//! A deserializer around another one: it sees every key and every number before the type that is read does.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer as _, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::key::{Keys, Seen, has_free_keys};
use super::{Readers, Reason};
use crate::text;

/// The largest integer that a reader keeps who has no integers but floating-point numbers (RFC 8259, section 6).
const MAX_EXACT: u64 = (1 << 53) - 1;

/// How many bytes may be read; each value counts for one more than it has.
pub(super) struct Room {
    limit: usize,
    left: Cell<usize>,
}

impl Room {
    pub(super) fn of(limit: usize) -> Self {
        Self { limit, left: Cell::new(limit) }
    }
}

/// A place in a document.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    readers: Readers,
    /// Where the reason of a refusal is left: a parser's error has room for words alone.
    reason: &'a RefCell<Option<Reason>>,
    room: &'a Room,
    /// Whether an object here has free keys if nobody reads it.
    free: bool,
}

/// A deserializer whose keys and numbers are checked.
pub(super) struct Checked<'a, D> {
    inner: D,
    place: Place<'a>,
}

/// A type's own visitor, or one of its parts, and what is known of the keys of an object that it may be given.
struct Watched<'a, V> {
    inner: V,
    place: Place<'a>,
    keys: Keys,
    /// Whether what it is given goes into a value.
    is_read: bool,
}

struct CheckedMap<'a, A> {
    inner: A,
    place: Place<'a>,
    keys: Keys,
    seen: Seen,
    /// The place of the next value.
    value: Place<'a>,
}

struct CheckedSeq<'a, A> {
    inner: A,
    place: Place<'a>,
}

struct CheckedSeed<'a, S> {
    inner: S,
    place: Place<'a>,
}

struct CheckedEnum<'a, A> {
    inner: A,
    place: Place<'a>,
}

impl<'a> Place<'a> {
    pub(super) fn whole(readers: Readers, reason: &'a RefCell<Option<Reason>>, room: &'a Room) -> Self {
        Self { readers, reason, room, free: false }
    }

    fn inside(self, free: bool) -> Self {
        Self { free, ..self }
    }

    /// Watches what reads an object with these keys, or anything else.
    fn watch<V>(self, inner: V, keys: Keys) -> Watched<'a, V> {
        Watched { inner, place: self, keys, is_read: true }
    }

    /// Watches what reads anything, or nothing. Others may read an object here as a struct.
    fn watch_any<V>(self, inner: V, is_read: bool) -> Watched<'a, V> {
        let is_struct = self.readers == Readers::Others && !self.free;
        Watched { inner, place: self, keys: if is_struct { Keys::Fields(&[]) } else { Keys::Free }, is_read }
    }

    fn refuse<E: serde::de::Error>(self, reason: Reason) -> E {
        let error = E::custom(&reason);
        self.reason.replace(Some(reason));
        error
    }

    /// Takes the room of a value with so many bytes.
    fn take<E: serde::de::Error>(self, bytes: usize) -> Result<(), E> {
        match self.room.left.get().checked_sub(bytes.saturating_add(1)) {
            Some(left) => {
                self.room.left.set(left);
                Ok(())
            }
            None => Err(self.refuse(Reason::Length(self.room.limit))),
        }
    }

    /// Whether an integer is the same to all readers.
    fn number<E: serde::de::Error>(self, magnitude: u64, number: impl fmt::Display) -> Result<(), E> {
        if magnitude <= MAX_EXACT { Ok(()) } else { Err(self.refuse(Reason::Number(text::words(&number.to_string())))) }
    }
}

impl<'a, D> Checked<'a, D> {
    pub(super) fn new(inner: D, place: Place<'a>) -> Self {
        Self { inner, place }
    }
}

macro_rules! watched {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(self.place.watch_any(visitor, true))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Checked<'_, D> {
    type Error = D::Error;

    watched! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
        deserialize_unit deserialize_seq deserialize_identifier
    }

    /// Read as anything is: a parser checks less of what it may pass over.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(self.place.watch_any(visitor, self.place.readers == Readers::Others))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_struct(name, fields, self.place.watch(visitor, Keys::Fields(fields)))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_map(self.place.watch(visitor, Keys::Free))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, self.place.watch_any(visitor, true))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_newtype_struct(name, self.place.watch_any(visitor, true))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple(len, self.place.watch_any(visitor, true))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, name: &'static str, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple_struct(name, len, self.place.watch_any(visitor, true))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, self.place.watch(visitor, Keys::Fields(variants)))
    }
}

macro_rules! handed_on_with_its_length {
    ($($method:ident: $value:ty)*) => {
        $(fn $method<E: serde::de::Error>(self, value: $value) -> Result<V::Value, E> {
            self.place.take(value.len())?;
            self.inner.$method(value)
        })*
    };
}

macro_rules! handed_on {
    ($($method:ident: $value:ty)*) => {
        $(fn $method<E: serde::de::Error>(self, value: $value) -> Result<V::Value, E> {
            self.place.take(0)?;
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Watched<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    handed_on! {
        visit_bool: bool
        visit_i128: i128
        visit_u128: u128
        visit_f64: f64
    }

    handed_on_with_its_length! {
        visit_str: &str
        visit_borrowed_str: &'de str
        visit_string: String
        visit_bytes: &[u8]
        visit_borrowed_bytes: &'de [u8]
        visit_byte_buf: Vec<u8>
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<V::Value, E> {
        self.place.take(0)?;
        if self.is_read {
            self.place.number(value.unsigned_abs(), value)?;
        }
        self.inner.visit_i64(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<V::Value, E> {
        self.place.take(0)?;
        if self.is_read {
            self.place.number(value, value)?;
        }
        self.inner.visit_u64(value)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.place.take(0)?;
        self.inner.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.place.take(0)?;
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Checked { inner: deserializer, place: self.place })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Checked { inner: deserializer, place: self.place })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.place.take(0)?;
        self.inner.visit_seq(CheckedSeq { inner: access, place: self.place.inside(false) })
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.place.take(0)?;
        let place = self.place.inside(false);
        self.inner.visit_map(CheckedMap { inner: access, place, keys: self.keys, seen: Seen::default(), value: place })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(CheckedEnum { inner: access, place: self.place.inside(false) })
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for CheckedMap<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(key) = self.inner.next_key::<String>()? else { return Ok(None) };
        self.place.take::<A::Error>(key.len())?;
        self.seen.add(&key, self.keys).map_err(|reason| self.place.refuse::<A::Error>(reason))?;
        self.value = self.place.inside(matches!(self.keys, Keys::Fields(_)) && has_free_keys(&key));
        let key: StrDeserializer<'_, A::Error> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(CheckedSeed { inner: seed, place: self.value })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for CheckedSeq<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(CheckedSeed { inner: seed, place: self.place })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for CheckedSeed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Checked { inner: deserializer, place: self.place })
    }
}

impl<'de, 'a, A: EnumAccess<'de>> EnumAccess<'de> for CheckedEnum<'a, A> {
    type Error = A::Error;
    type Variant = CheckedEnum<'a, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, CheckedEnum { inner: variant, place: self.place }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for CheckedEnum<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(CheckedSeed { inner: seed, place: self.place })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, self.place.watch_any(visitor, true))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, self.place.watch(visitor, Keys::Fields(fields)))
    }
}
