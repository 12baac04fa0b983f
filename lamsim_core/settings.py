"""One object with every path and limit. Each can be set by an environment variable LAMSIM_<NAME>."""

from functools import lru_cache
from pathlib import Path

from platformdirs import user_cache_path
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Paths and limits of one installation."""

    model_config = SettingsConfigDict(env_prefix="LAMSIM_", frozen=True, extra="ignore")

    home: Path = REPOSITORY / "var"
    """What the user's runs produce: journal, index, datasets, adapters, jobs."""
    data: Path = REPOSITORY / "data"
    """What the product ships: task templates, content, the model registry."""
    cache: Path = Field(default_factory=lambda: user_cache_path("lamsim"))
    """What can be fetched or computed again: converted models."""
    port: int = Field(default=8501, ge=1, le=65535)
    """Port of the app, always on the loopback address."""
    endpoints: str = Field(default="endpoints.yaml", min_length=1)
    """File of the user's own OpenAI-compatible servers; a relative name is looked up in ``home``."""
    author: str = Field(default="me", min_length=1, max_length=60)
    """The name written beside human decisions."""
    max_steps: int = Field(default=8, ge=1, le=100)
    """Turns an agent may take in one attempt."""
    max_new_tokens: int = Field(default=160, ge=1, le=4096)
    """Tokens a model may write in one turn."""
    max_prompt_tokens: int = Field(default=7000, ge=256)
    """Prompt tokens beyond which an attempt ends (the default model reads 8192)."""
    index_memory: str = "1GB"
    """Memory DuckDB may use."""
    page_size: int = Field(default=50, ge=1, le=1000)
    """Rows per page in long tables."""

    def environment(self) -> dict[str, str]:
        """These settings as variables of the environment, for processes started by this one; paths are absolute."""
        return {
            f"LAMSIM_{name.upper()}": str(value.absolute() if isinstance(value, Path) else value)
            for name, value in self.model_dump().items()
        }

    @property
    def journal(self) -> Path:
        """Folder of the append-only journal segments."""
        return self.home / "journal"

    @property
    def index(self) -> Path:
        """The DuckDB index, which may be deleted at any time."""
        return self.home / "index.duckdb"

    @property
    def jobs(self) -> Path:
        """One folder per job."""
        return self.home / "jobs"

    @property
    def datasets(self) -> Path:
        """One folder per frozen dataset version."""
        return self.home / "datasets"

    @property
    def tasks(self) -> Path:
        """The user's own task templates, one file each."""
        return self.home / "tasks"

    @property
    def endpoints_file(self) -> Path:
        """The user's own endpoints; need not be there."""
        return self.home / self.endpoints

    @property
    def adapters(self) -> Path:
        """One folder per trained adapter."""
        return self.home / "adapters"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once. Tests call ``get_settings.cache_clear()`` after changing the environment."""
    return Settings()
