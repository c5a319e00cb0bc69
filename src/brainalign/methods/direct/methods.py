"""The four direct methods: two directions, two kinds of maps."""

from __future__ import annotations

from brainalign.methods.direct.base import DirectMethod
from brainalign.methods.direct.nonlinear import DecodingRegression, EncodingRegression, train_maps
from brainalign.methods.direct.options import (
    NonlinearDecodingOptions,
    NonlinearEncodingOptions,
    RidgeOptions,
)
from brainalign.methods.direct.residuals import fit_maps_in_turn
from brainalign.methods.direct.ridge import RidgeRegression


class DirectEncodingRidge(DirectMethod):
    """Ridge regression from features to responses."""

    name = "direct_encoding_ridge"
    Options = RidgeOptions
    direction = "encoding"
    regression_class = RidgeRegression
    fit_maps = staticmethod(fit_maps_in_turn)


class DirectEncodingNonlinear(DirectMethod):
    """Visual tower and readout from features to responses."""

    name = "direct_encoding_nonlinear"
    Options = NonlinearEncodingOptions
    direction = "encoding"
    regression_class = EncodingRegression
    fit_maps = staticmethod(train_maps)


class DirectDecodingRidge(DirectMethod):
    """Ridge regression from responses to features."""

    name = "direct_decoding_ridge"
    Options = RidgeOptions
    direction = "decoding"
    regression_class = RidgeRegression
    fit_maps = staticmethod(fit_maps_in_turn)


class DirectDecodingNonlinear(DirectMethod):
    """Neural tower and hidden layer from responses to features."""

    name = "direct_decoding_nonlinear"
    Options = NonlinearDecodingOptions
    direction = "decoding"
    regression_class = DecodingRegression
    fit_maps = staticmethod(train_maps)
