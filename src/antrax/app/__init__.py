"""The web app of `antrax extract-trainset`, for labelling tracklets and validating a classification.

This package holds all code of the web; changes of a session and its files are made by `antrax.review`.
"""
