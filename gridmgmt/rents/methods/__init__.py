"""Arithmetic of rents: arrays in, numbers out, without a database; each module names the source of its method.

Ground: `series`, `leases`, `moments`, `linear`, `regression`, `threads`, `trim`. Indexes: `medians`, `hedonic`, `rolling`, `imputation`,
`pairs` and `repeat`, put together by `aggregation`. Guidance rents and thin cells: `guidance`, `shrinkage`. Errors: `influence`,
`bootstrap`. What may be told: `tables`, `suppression`, `disclosure`.
"""
