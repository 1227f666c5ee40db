"""What a message says and costs: SMS parts, placeholders, prices.

Pure Python: nothing here knows a model, a database or Flask.
"""
