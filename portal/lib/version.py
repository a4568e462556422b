"""The version of Slipway, as `/v2` and the OpenAPI document show it."""

VERSION = "0.1.0"
