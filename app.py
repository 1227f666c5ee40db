"""Puts Rollcall together: settings, extensions, pages, commands, scheduler. Wiring only."""

import click
from apiflask import APIFlask
from dotenv import load_dotenv

import blueprints
from rollcall import cli, logs, models, scheduler  # noqa: F401 (models: the tables)
from rollcall.config import ConfigError, Settings, flask_config
from rollcall.extensions import db, migrate, prepare_engine


def create_app(settings: Settings | None = None) -> APIFlask:
    """Return the application; raises ConfigError when a setting is missing or unusable.

    Started by a server (and not to run one command), it needs SECRET_KEY and starts the
    scheduler where the settings say so.
    """
    settings = settings or _read_settings()
    serving = _is_serving()
    if serving and not (settings.secret_key or settings.demo):
        raise ConfigError("SECRET_KEY is not set: set it to a long random text, and keep it")
    app = APIFlask(
        "app",
        instance_path=str(settings.instance_path),
        json_errors=False,
        title="Rollcall",
        spec_path=None,
        docs_path=None,
    )
    settings.instance_path.mkdir(parents=True, exist_ok=True)
    app.config.update(flask_config(settings))
    app.extensions["rollcall"] = settings
    logs.configure()
    db.init_app(app)
    migrate.init_app(app, db, render_as_batch=True, compare_type=True)
    with app.app_context():
        prepare_engine(db.engine)
    blueprints.register(app)
    cli.register(app)
    if serving and settings.scheduler:
        scheduler.start(app)
    return app


def _read_settings() -> Settings:
    load_dotenv()
    try:
        return Settings.from_environment()
    except ConfigError as error:
        if click.get_current_context(silent=True) is None:
            raise
        raise click.ClickException(str(error)) from error


def _is_serving() -> bool:
    context = click.get_current_context(silent=True)
    return context is None or context.info_name == "run"
