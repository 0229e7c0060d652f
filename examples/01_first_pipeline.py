"""
From raw clips to labels
========================

Table.
"""

# %%
# Nothing.

from sklearn_mmsent import FillBlocks

print(FillBlocks())
