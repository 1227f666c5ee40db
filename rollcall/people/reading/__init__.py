"""Reading people and purchases from the files of other tools: pure, streaming, no database.

`table` opens a CSV whatever its encoding and delimiter, `mapping` says which column is what,
`people` and `purchases` give one row after the other, or the reason why a row can't be used.
"""
