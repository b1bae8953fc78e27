"""SigLIP and SigLIP 2: finding weights, loading them, frames and sentences to vectors."""
