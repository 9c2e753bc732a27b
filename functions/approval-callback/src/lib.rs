//! Somebody followed an approval link: GET shows a page, POST decides.
