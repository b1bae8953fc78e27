"""Files, frames, seconds: scanning, sampling, the store, retrieval and clips.

Never imports torch, transformers or ``model``, and never prints. It sees the
neural networks only through the Encoder and Localizer protocols of
``index.types``.
"""
