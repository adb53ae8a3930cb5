"""Run one stage: `python -m tasks STAGE`, from the project's root. DVC calls it so."""

import importlib
import sys
from pathlib import Path

from ruamel.yaml import YAML

from nfe.errors import NFEError, ParamsError
from nfe.files import sweep_leftovers


def main(stage: str) -> None:
    """Read the stage's section of params.yaml, check it, and run the stage."""
    module = importlib.import_module(f"tasks.{stage}")
    values = YAML(typ="safe").load(Path("params.yaml"))
    if stage not in values:
        raise ParamsError(f"params.yaml must have a section {stage}, it has none; add it")
    params = module.Params.model_validate(values[stage])
    folder = Path("data") / stage
    folder.mkdir(parents=True, exist_ok=True)
    sweep_leftovers(folder)
    module.run(params)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except NFEError as error:
        print(f"{sys.argv[1]}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
