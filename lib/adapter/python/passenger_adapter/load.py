"""Finding the application callable, and saying why it cannot be loaded."""
import ast
import importlib
import importlib.util
import os
import sys
import traceback

from . import reexec

_HERE = os.path.dirname(os.path.abspath(__file__))


class NoApplication(Exception):
    """The module was loaded but holds no application."""

    __module__ = "passenger"


class NoServer(Exception):
    """No ASGI server is installed, or not the one that was asked for."""

    __module__ = "passenger"


class NoStartupFile(Exception):
    """The startup file does not exist."""

    __module__ = "passenger"


def application(target):
    """Return the callable that target names: FILE.py or MODULE, and then
    perhaps :ATTRIBUTE, or :FACTORY() for what a factory returns. Without either
    it is called application or app, or create_app or make_app returns it.
    """
    root = os.getcwd()
    sys.path.insert(0, root)
    place, _, attribute = target.partition(":")
    sys.argv[:] = [place]
    if place.endswith(".py") or "/" in place:
        module = _load_file(root, os.path.join(root, place))
    else:
        module = importlib.import_module(place)
    return _callable(module, place, attribute)


def _callable(module, place, attribute):
    if attribute.endswith(")"):
        return _made(module, place, attribute)
    for name in [attribute] if attribute else ["application", "app"]:
        found = _attribute(module, name)
        if callable(found):
            return found
        if found is not None:
            raise NoApplication('"%s" in %s is not callable' % (name, place))
    if not attribute:
        for name in ("create_app", "make_app"):
            if callable(_attribute(module, name)):
                return _made(module, place, name + "()")
    raise NoApplication('%s has no callable "%s"' % (place, attribute or "application"))


def _made(module, place, call):
    """Return what a factory makes. call is Gunicorn's form: a name, and
    arguments that are literals.
    """
    try:
        parsed = ast.parse(call.strip(), mode="eval").body
        name = ast.unparse(parsed.func) if hasattr(ast, "unparse") else call.partition("(")[0].strip()
        args = [ast.literal_eval(arg) for arg in parsed.args]
        options = {option.arg: ast.literal_eval(option.value) for option in parsed.keywords}
    except (AttributeError, SyntaxError, ValueError):
        raise NoApplication('"%s" does not have the form FACTORY(), with literals as arguments' % call) from None
    factory = _attribute(module, name)
    if not callable(factory):
        raise NoApplication('%s has no callable "%s"' % (place, name))
    made = factory(*args, **options)
    if not callable(made):
        raise NoApplication('"%s" in %s returns %.100r, which is not callable' % (call, place, made))
    return made


def _attribute(module, name):
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _load_file(root, path):
    if not os.path.exists(path):
        raise NoStartupFile(path)
    name = _module_name(root, path)
    if name:
        return importlib.import_module(name)

    # No name that an import statement could use, or one that is taken: the
    # file is loaded by its path. Its siblings are importable all the same.
    directory, base = os.path.split(path)
    _make_importable(directory)
    name = os.path.splitext(base)[0]
    if name in sys.modules:
        name = "passenger_app_" + name
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _module_name(root, path):
    """The dotted name by which the application itself would import path, or
    None if there is none. What it begins with is made importable.
    """
    if not path.endswith(".py"):
        return None
    top = os.path.dirname(path)
    while top != root and os.path.exists(os.path.join(top, "__init__.py")):
        top = os.path.dirname(top)
    if os.path.dirname(path) == top != root:
        # It is in no package; or in one without __init__.py, as it looks for
        # others relative to itself.
        if not _imports_relatively(path):
            _make_importable_last(root, top)
            return None
        _make_importable(top)
        top = root
    parts = os.path.relpath(path, top)[:-3].split(os.sep)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()  # the package itself
    if not all(part.isidentifier() for part in parts):
        return None
    if parts[0] in sys.modules or parts[0] in sys.builtin_module_names:
        return None
    _make_importable(top)
    _make_importable_last(root, top)
    return ".".join(parts)


def _make_importable(directory):
    if directory not in sys.path:
        sys.path.insert(1, directory)


def _make_importable_last(root, directory):
    """Let what nothing else has be found between root and directory, where the
    packages of an application lie that are none by __init__.py.
    """
    while directory != root and directory.startswith(root + os.sep):
        directory = os.path.dirname(directory)
        if directory not in sys.path:
            sys.path.append(directory)


def _imports_relatively(path):
    try:
        with open(path, "rb") as file:
            nodes = ast.walk(ast.parse(file.read(), path))
    except (OSError, SyntaxError, ValueError):
        return False  # loading it says why
    return any(isinstance(node, ast.ImportFrom) and node.level for node in nodes)


def print_backtrace(error):
    """Write error as Python would, but for our frames around the application's.

    Of an error that has none but ours, such as a body that is not bytes, the
    last frame stays; what we raise about the startup file says all by itself.
    """
    frames = error.__traceback__
    while frames and _is_ours(frames.tb_frame.f_code.co_filename):
        last, frames = frames, frames.tb_next
    if not frames and not isinstance(error, (NoApplication, NoServer, NoStartupFile, SyntaxError)):
        frames = last
    else:
        _end_with_the_application(frames)
    # One write, so that the lines stay together.
    sys.stderr.write("".join(traceback.format_exception(type(error), error, frames)))
    sys.stderr.flush()


def _end_with_the_application(frames):
    last = None
    while frames:
        if not _is_ours(frames.tb_frame.f_code.co_filename):
            last = frames
        frames = frames.tb_next
    if last:
        last.tb_next = None


def _is_ours(filename):
    return filename.startswith((_HERE, "<frozen importlib")) or filename == importlib.__file__


def explain(error):
    """Return category, summary and advice for an error of application()."""
    if isinstance(error, NoStartupFile):
        return ("config", "the startup file %s does not exist" % error,
                'Check "startup_file" in Passengerfile.json; it is relative to the application\'s directory.')
    if isinstance(error, NoServer):
        return ("dependency", str(error), "uvicorn is the usual one. " + _how_to_install())
    if isinstance(error, NoApplication):
        return ("app", str(error),
                "Define the callable under the name application, or name it in "
                '"startup_file" as FILE.py:NAME.')
    if isinstance(error, reexec.Endless):
        return ("config", str(error), _how_to_choose())
    if hasattr(error, reexec.TRIED):
        return ("config", "the application changes to the interpreter %s, which cannot be executed: %s"
                % (getattr(error, reexec.TRIED), error.strerror), _how_to_choose())
    if isinstance(error, SyntaxError):
        return ("syntax", "syntax error in %s, line %s: %s" % (error.filename, error.lineno, error.msg),
                "Correct that line; %s is the Python that reads it." % sys.executable)
    if isinstance(error, ImportError):
        return _explain_import(error)
    if isinstance(error, PermissionError):
        return ("permission", "the application may not open %s%s" % (error.filename, _where(error)),
                "Let the user that the application runs as read it, and enter each directory above it.")
    if isinstance(error, SystemExit):
        return ("exit", "the application called exit(%r) while it was loading%s" % (error.code, _where(error)),
                "Its output says why, if it does; the startup file must only define the callable.")
    return ("app", "%s while the application was loading%s" % (_one_line(error), _where(error)),
            "The output holds the whole backtrace.")


def _how_to_choose():
    return ('Instead of os.exec in the startup file, set "python" in Passengerfile.json to the interpreter, '
            'such as "venv/bin/python"; a virtualenv in .venv or venv is found by itself.')


def _explain_import(error):
    name = error.name or ""
    if isinstance(error, ModuleNotFoundError) and name:
        top = name.partition(".")[0]
        if top in sys.modules or os.path.exists(os.path.join(os.getcwd(), top)):
            return ("dependency", 'the module "%s" is missing%s' % (name, _where(error)),
                    'There is a "%s", but nothing of that name in it: is it complete, and the right version?' % top)
        return ("dependency", 'the module "%s" is missing%s' % (name, _where(error)), _how_to_install())
    return ("dependency", "%s%s" % (_one_line(error), _where(error)),
            "A module was found but not what it should hold: its version may not fit. " + _how_to_install())


def _how_to_install():
    if sys.prefix != sys.base_prefix:
        return "Install it into the virtualenv in use: %s -m pip install …" % sys.executable
    return ("The interpreter in use is %s, without a virtualenv. Make one in .venv in the application's "
            'directory and install the requirements there, or set "python" in Passengerfile.json.' % sys.executable)


def _where(error):
    """The innermost place in the application's own files, as " (FILE:LINE)"."""
    place = ""
    root = os.getcwd() + os.sep
    for frame, line in traceback.walk_tb(error.__traceback__):
        filename = frame.f_code.co_filename
        inside = filename.startswith(root) and "site-packages" not in filename
        if inside and not _is_ours(filename):
            place = " (%s:%d)" % (filename[len(root):], line)
    return place


def _one_line(error):
    text = " ".join(str(error).split())
    return "%s: %s" % (type(error).__name__, text) if text else type(error).__name__
