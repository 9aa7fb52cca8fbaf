"""`gridmgmt demo`: the synthetic district."""

from gridmgmt.cli.console import AsJson
