"""How a message leaves: rendering, and one file for each way out.

Knows nothing of `engine` or `config`. `base` is the port, `registry` builds channels from
settings, `rendering` turns a template and a snapshot into what a `Message` carries; `templates`
holds what a template is made of and what bounds it.
"""
