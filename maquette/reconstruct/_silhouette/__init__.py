"""Parts of the silhouette backend: masks tidied, one view inflated, several views carved."""
