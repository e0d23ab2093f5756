//! Vectors of texts without a model: words and parts of words hashed into 256
//! numbers.
//!
//! It finds texts that share words or stems, in any language that has letters. It
//! knows nothing of meaning: `car` and `automobile` are strangers to it. It is what
//! is used where the operator names no embedding model, and it is named as what it
//! is wherever its results are shown. Feature hashing with a sign, as in Weinberger
//! et al., "Feature Hashing for Large Scale Multitask Learning" (2009).

use sha2::{Digest, Sha256};

/// How many numbers a vector has.
pub const DIMENSIONS: usize = 256;

/// What it is called where a model's name would stand.
pub const NAME: &str = "hashed-embedder";

/// A part of a word counts for so much, where a word counts for one: enough to
/// find `invoices` by `invoice`, not enough to outweigh another word.
const PART: f32 = 0.3;

/// The vector of a text, of length one; all zero for a text without a letter or a
/// digit. It costs a hash for each word and each three letters of one.
pub fn embed(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0; DIMENSIONS];
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty());
    for word in words {
        let word = word.to_lowercase();
        add(&mut vector, &word, 1.0);
        let letters: Vec<char> = format!("<{word}>").chars().collect();
        for part in letters.windows(3) {
            let part: String = part.iter().collect();
            add(&mut vector, &part, PART);
        }
    }
    let length = vector.iter().map(|it| it * it).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|it| *it /= length);
    }
    vector
}

fn add(vector: &mut [f32], feature: &str, weight: f32) {
    let [at, sign, ..] = <[u8; 32]>::from(Sha256::digest(feature));
    if let Some(number) = vector.get_mut(usize::from(at)) {
        *number += if sign % 2 == 0 { weight } else { -weight };
    }
}

/// How near two vectors are, from -1 to 1; 0 for vectors of different lengths and
/// for those that are all zero.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    if a.len() != b.len() {
        return 0.0;
    }
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    match lengths > 0.0 && lengths.is_finite() {
        true => (dot(a, b) / lengths).clamp(-1.0, 1.0),
        false => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: &str, b: &str) -> f32 {
        cosine(&embed(a), &embed(b))
    }

    #[test]
    fn texts_with_the_same_words_are_nearer_than_others() {
        let question = "Which invoices of March are not paid?";
        let table = [
            ("which invoices of march are not paid", 0.999, 1.001),
            ("Which invoice of March is not paid?", 0.7, 0.999),
            ("How do I make a cheese omelette?", -0.3, 0.3),
            ("", -0.001, 0.001),
            ("?!", -0.001, 0.001),
        ];
        for (other, least, most) in table {
            let near = near(question, other);
            assert!((least..most).contains(&near), "{other}: {near}");
        }
    }

    #[test]
    fn it_is_of_length_one_and_the_same_every_time() {
        let vector = embed("größe 42");
        assert_eq!(vector.len(), DIMENSIONS);
        assert_eq!(vector, embed("größe 42"));
        assert_eq!(vector, embed("GRÖßE; 42!"));
        let length: f32 = vector.iter().map(|it| it * it).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }

    #[test]
    fn what_cannot_be_compared_is_not_near() {
        assert_eq!(cosine(&[1.0], &[1.0, 0.0]), 0.0);
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), 0.0);
        assert_eq!(cosine(&[f32::MAX, 0.0], &[f32::MAX, 0.0]), 0.0);
        assert_eq!(cosine(&[2.0, 0.0], &[-3.0, 0.0]), -1.0);
    }
}
