"""The command line's door: finds the command, turns errors into one line and an exit code.

Exit codes: 0 fine, 1 a mistake of the user's, 2 a defect of ours, 130 stopped by the user; `gate` has 3 and 4 too.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path

import click

from gatewheel import __version__
from gatewheel.kernel.errors import Cancelled, GatewheelError, UserError, did_you_mean

# command → (module, what it does); the module is imported only when the command is used
COMMANDS = {
    "init": ("init", "Make a project here."),
    "doctor": ("doctor", "Check machine, weights, configuration and stores; each line with its cure."),
    "config": ("config", "Show or check gatewheel.toml."),
    "ingest": ("ingest", "Read documents into the index."),
    "search": ("search", "Find passages."),
    "ask": ("ask", "Answer a question from the documents, with citations."),
    "chat": ("chat", "Ask several questions in a row."),
    "serve": ("serve", "Serve the project: an OpenAI-compatible endpoint, an API and the studio."),
    "finetune": ("finetune", "Tune the model of an application on cases (LoRA, QLoRA)."),
    "improve": ("improve", "Turn the wheel once: harvest, tune, evaluate, gate, propose."),
    "models": ("models", "List models with licence, size, price and speed; export what was tuned."),
    "variants": ("variants", "List, show, compare and add recipes of answering."),
    "traces": ("traces", "Look at recorded questions."),
    "keys": ("keys", "Make, list and revoke API keys."),
    "feedback": ("feedback", "Say what you think of an answer; list what was said."),
    "evals": ("evals", "Evaluate applications and models on suites, and compare them."),
    "gate": ("gate", "Decide by measurements whether a candidate may be released."),
    "release": ("release", "Release variants that passed their gate, and go back."),
    "lineage": ("lineage", "Walk from an answer to what it was made of, and from a document to all that came of it."),
    "forget": ("forget", "Purge a document or a user, with all that learned of them marked."),
    "runs": ("runs", "List, watch, cancel and resume long work."),
    "rag": ("rag", "See how a document is read and cut into passages."),
    "retrieval": ("retrieval", "See why a passage was found."),
    "embeddings": ("embeddings", "Encode texts."),
    "data": ("data", "Collect cases, keep training and held-out ones apart, freeze what is learned from."),
    "prompts": ("prompts", "List, show and render prompt files."),
    "guard": ("guard", "Black out what belongs to people; run code that nobody has read."),
    "ops": ("ops", "See what a running application takes."),
    "schemas": ("schemas", "Print the JSON Schema of a command's --json output."),
}


class Commands(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"gatewheel.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise click.UsageError(f"no command '{args[0]}'; {did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="gatewheel %(version)s")
@click.option("-C", "--project", default=".", metavar="DIR", help="The project's folder; default: here or above.")
@click.pass_context
def cli(context: click.Context, project: str) -> None:
    """Answers from your own documents, with citations, on your own machine."""
    if not Path(project).is_dir() and context.invoked_subcommand != "init":
        raise UserError(f"-C {project} is no folder", cure="name the folder of a project")
    context.obj = project


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    sys.exit(run(arguments))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    as_json = "--json" in arguments
    try:
        for argument in arguments:
            if not argument.isprintable() and any("\ud800" <= sign <= "\udfff" for sign in argument):
                shown = argument.encode("utf-8", "replace").decode("utf-8")
                raise UserError(f"the argument '{shown}' is not UTF-8", cure="use a terminal with a UTF-8 locale")
        code = cli.main(args=arguments, prog_name="gatewheel", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as help_:
        click.echo(help_.format_message())
        return 0
    except click.ClickException as error:
        return _tell(error.format_message().removesuffix("."), "see `gatewheel --help`", 1, as_json)
    except (Cancelled, KeyboardInterrupt, click.Abort) as error:
        return _tell(str(error) or "stopped", "", 130, as_json)
    except UserError as error:
        return _tell(error.what, error.cure, 1, as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `| head` is no fault of anybody
        return 0
    except GatewheelError as error:
        return _tell(error.what, error.cure, 2, as_json)
    except Exception as error:  # noqa: BLE001 (the door)
        if mended := _of_the_database(error):
            return _tell(mended.what, mended.cure, 1, as_json)
        if os.environ.get("GATEWHEEL_DEBUG"):
            traceback.print_exc()
        cure = "this is a defect of ours; GATEWHEEL_DEBUG=1 shows where, please report it"
        return _tell(f"{type(error).__name__}: {error}", cure, 2, as_json)


def _of_the_database(error: Exception) -> GatewheelError | None:
    """What to say of a database that is locked, full or damaged. Costs no import when none was opened."""
    if "sqlalchemy" not in sys.modules:
        return None
    from sqlalchemy.exc import DBAPIError

    from gatewheel.kernel.store.database import explain

    return explain(error) if isinstance(error, DBAPIError) else None


def _tell(what: str, cure: str, code: int, as_json: bool) -> int:
    from gatewheel.cli.render import printable

    what, cure = " ".join(what.split()), " ".join(cure.split())
    if as_json:
        click.echo(json.dumps({"error": what, "cure": cure, "exit_code": code}, ensure_ascii=False), err=True)
    else:
        click.echo(printable(f"gatewheel: {what}{'; ' + cure if cure else ''}"), err=True)
    return code
