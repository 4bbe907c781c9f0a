"""How a shop folder becomes a plan: every fault at once, each with its file and line.

`load_folder` reads a folder, `load_shop` takes the same files from memory (an engine journals the
files of a plan and loads them again from there). Both give a `Shop` or raise `ShopInvalid`. The
way is: text to located values (`yaml12`, `tomlplaces`), those to settings (`reading`, `settings`)
and campaigns (`campaigns`, `steps`, `conditions`), and what was found wrong on the way to a
`Findings`, so that nobody mends one fault to meet the next.
"""
