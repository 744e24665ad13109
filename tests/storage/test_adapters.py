"""An adapter is there whole, under the name of its content, or not at all."""

from pathlib import Path

import pytest

from ddl_train.errors import AdapterError
from ddl_train.storage.adapters import install_adapter, verify_adapter
from tests.storage.made import an_adapter_dir


def test_equal_content_has_one_name_and_one_folder(tmp_path: Path) -> None:
    adapters = tmp_path / "adapters"
    first = install_adapter(an_adapter_dir(tmp_path / "a"), adapters)
    second = install_adapter(an_adapter_dir(tmp_path / "b"), adapters)
    other = install_adapter(an_adapter_dir(tmp_path / "c", "other weights"), adapters)
    assert first == second
    assert first[0] != other[0]
    assert sorted(path.name for path in adapters.iterdir()) == sorted([first[0], other[0]])


def test_an_installed_adapter_verifies(tmp_path: Path) -> None:
    version, path = install_adapter(an_adapter_dir(tmp_path / "a"), tmp_path / "adapters")
    verify_adapter(path)
    assert len(version) == 16 and path.name == version
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_changed_byte_is_found(tmp_path: Path, name: str) -> None:
    _, path = install_adapter(an_adapter_dir(tmp_path / "a"), tmp_path / "adapters")
    content = bytearray((path / name).read_bytes())
    content[-1] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(AdapterError, match=f"{name} has been changed"):
        verify_adapter(path)


def test_a_changed_manifest_is_found(tmp_path: Path) -> None:
    _, path = install_adapter(an_adapter_dir(tmp_path / "a"), tmp_path / "adapters")
    with (path / "manifest.json").open("a") as file:
        file.write(" ")
    with pytest.raises(AdapterError, match="does not belong"):
        verify_adapter(path)


def test_a_damaged_adapter_is_replaced_when_it_is_made_again(tmp_path: Path) -> None:
    version, path = install_adapter(an_adapter_dir(tmp_path / "a"), tmp_path / "adapters")
    (path / "adapter_model.safetensors").write_bytes(b"")
    assert install_adapter(an_adapter_dir(tmp_path / "b"), tmp_path / "adapters")[0] == version
    verify_adapter(path)


@pytest.mark.parametrize("name", ["optimizer.pt", "adapter_model.bin", "code.py"])
def test_a_file_that_does_not_belong_is_refused(tmp_path: Path, name: str) -> None:
    folder = an_adapter_dir(tmp_path / "a")
    (folder / name).write_bytes(b"pickle")
    with pytest.raises(AdapterError, match=name):
        install_adapter(folder, tmp_path / "adapters")


def test_a_link_is_refused(tmp_path: Path) -> None:
    folder = an_adapter_dir(tmp_path / "a")
    (folder / "README.md").symlink_to("/etc/passwd")
    with pytest.raises(AdapterError, match=r"README\.md"):
        install_adapter(folder, tmp_path / "adapters")


def test_weights_must_be_there(tmp_path: Path) -> None:
    folder = an_adapter_dir(tmp_path / "a")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(AdapterError, match="lacks adapter_model"):
        install_adapter(folder, tmp_path / "adapters")
