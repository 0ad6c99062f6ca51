//! JSON as Python has it: dictionaries, lists, texts and numbers.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyString};
use serde_json::Value as Json;

/// A value, with all that is in it.
pub fn to_python<'py>(py: Python<'py>, value: &Json) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Json::Null => py.None().into_bound(py),
        Json::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, Some(number)) => number.into_pyobject(py)?.into_any(),
            (None, None) => number.as_f64().into_pyobject(py)?.into_any(),
        },
        Json::String(text) => PyString::new(py, text).into_any(),
        Json::Array(list) => {
            let list = list.iter().map(|one| to_python(py, one));
            PyList::new(py, list.collect::<PyResult<Vec<_>>>()?)?.into_any()
        }
        Json::Object(members) => {
            let dict = PyDict::new(py);
            for (name, member) in members {
                // The names are few, and every record has them.
                dict.set_item(PyString::intern(py, name), to_python(py, member)?)?;
            }
            dict.into_any()
        }
    })
}

/// An object of texts.
pub fn text_members<'py>(py: Python<'py>, members: &[(&str, &String)]) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, text) in members {
        dict.set_item(PyString::intern(py, name), text)?;
    }
    Ok(dict)
}
